//! The picture: two panels of bars, written by hand as SVG, legible on light and dark pages.

use std::fmt::{self, Write};

use super::Report;
use crate::rounds::{BARE, NGINX, Row};

const WIDTH: f64 = 860.0;
const LABELS: f64 = 170.0;
/// The longest bar.
const BAR: f64 = 500.0;
const LINE: f64 = 30.0;
const THICK: f64 = 20.0;
const MARGIN: f64 = 20.0;
/// From a panel's title to its first bar, and from its last bar to the next title.
const TITLE: f64 = 34.0;

struct Panel<'a> {
    title: &'a str,
    value: fn(&Row) -> f64,
    show: fn(&Report, &Row) -> String,
}

const PANELS: [Panel<'static>; 3] = [
    Panel {
        title: "requests a second (more is better)",
        value: |row| row.requests_per_second,
        show: |report, row| {
            let (ratio, to) = report.own_ratio(row.name);
            // What is compared with itself has no ratio.
            let ratio = if to == row.name { String::new() } else { format!(" · {ratio:.2} of {to}") };
            format!("{:.0}{ratio}", row.requests_per_second)
        },
    },
    Panel {
        title: "99th percentile of latency, ms (less is better)",
        value: |row| row.p99_us,
        show: |_, row| format!("{:.2} · median {:.2}", row.p99_us / 1e3, row.p50_us / 1e3),
    },
    Panel {
        title: "processor time for each request, µs (less is better)",
        value: |row| row.cpu_us,
        show: |_, row| format!("{:.1}", row.cpu_us),
    },
];

impl Report {
    pub(crate) fn plot(&self) -> String {
        let mut out = String::new();
        self.draw(&mut out).expect("a text takes what is written to it");
        out
    }

    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    fn draw(&self, out: &mut String) -> fmt::Result {
        let panel = 2.0 * TITLE + LINE * self.rows.len() as f64;
        let height = MARGIN + panel * PANELS.len() as f64;
        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>"
        )?;
        for (number, drawn) in PANELS.iter().enumerate() {
            self.panel(out, drawn, MARGIN + panel * number as f64)?;
        }
        writeln!(out, "</svg>")
    }

    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    fn panel(&self, out: &mut String, panel: &Panel<'_>, top: f64) -> fmt::Result {
        writeln!(
            out,
            "<text x=\"{MARGIN}\" y=\"{}\" font-weight=\"bold\" fill=\"#1b1f24\">{}</text>",
            top + THICK - 6.0,
            panel.title
        )?;
        let longest = self.rows.iter().map(panel.value).fold(f64::MIN_POSITIVE, f64::max);
        for (number, row) in self.rows.iter().enumerate() {
            let y = top + TITLE + LINE * number as f64;
            let length = BAR * (panel.value)(row) / longest;
            let text = y + THICK - 5.0;
            writeln!(
                out,
                "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\" fill=\"#1b1f24\">{}</text>\n\
                 <rect x=\"{LABELS}\" y=\"{y}\" width=\"{length:.1}\" height=\"{THICK}\" fill=\"{}\"/>\n\
                 <text x=\"{:.1}\" y=\"{text}\" fill=\"#57606a\">{}</text>",
                LABELS - 10.0,
                row.name,
                colour(row.name),
                LABELS + length + 8.0,
                (panel.show)(self, row)
            )?;
        }
        Ok(())
    }
}

/// Ours stand out.
fn colour(name: &str) -> &'static str {
    if name == BARE || name == NGINX { "#b6bec8" } else { "#0a7d5a" }
}
