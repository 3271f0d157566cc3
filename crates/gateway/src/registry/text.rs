//! The text format of Prometheus, version 0.0.4 (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::{Display, Write};

use onlyonce_core::metric::{Kind, Metric};

use super::histogram::Seen;

/// What a metric says and how it counts.
pub(super) fn head(out: &mut String, Metric { name, kind, help, .. }: &Metric) {
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    };
    line(out, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
}

/// One value.
pub(super) fn sample(out: &mut String, metric: &Metric, labels: &[String], value: &dyn Display) {
    line(out, format_args!("{}{} {value}", metric.name, braced(metric, labels, None)));
}

/// The values of one histogram.
pub(super) fn histogram(out: &mut String, metric: &Metric, labels: &[String], seen: &Seen) {
    let name = metric.name;
    for (bound, count) in &seen.up_to {
        let labels = braced(metric, labels, Some(&bound.to_string()));
        line(out, format_args!("{name}_bucket{labels} {count}"));
    }
    let all = braced(metric, labels, Some("+Inf"));
    let labels = braced(metric, labels, None);
    line(out, format_args!("{name}_bucket{all} {}", seen.count));
    line(out, format_args!("{name}_sum{labels} {}", seen.sum));
    line(out, format_args!("{name}_count{labels} {}", seen.count));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a text takes what is written to it");
}

/// The labels in braces; nothing if there are none.
fn braced(metric: &Metric, values: &[String], up_to: Option<&str>) -> String {
    let names = metric.labels.iter().map(|label| label.name);
    let mut pairs: Vec<_> =
        names.zip(values).map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    pairs.extend(up_to.map(|bound| format!("le=\"{bound}\"")));
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

/// A label's value: backslash, quote and line feed are escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_cannot_break_out_of_its_label() {
        assert_eq!(escaped("POST /a\"} 1\nx\\"), "POST /a\\\"} 1\\nx\\\\");
    }
}
