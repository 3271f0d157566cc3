//! The curve of [`super::bloat`], written by hand as SVG, legible on light and dark pages.

use std::fmt::{self, Write};

use super::bloat::Look;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 150.0;
const PANEL: f64 = 200.0;
const TITLE: f64 = 44.0;
const MARGIN: f64 = 20.0;

struct Line {
    name: &'static str,
    colour: &'static str,
    value: fn(&Look) -> u64,
}

struct Panel {
    title: &'static str,
    /// What a value is divided by before it is shown, and what it is then.
    unit: (f64, &'static str),
    lines: [Line; 2],
}

const PANELS: [Panel; 2] = [
    Panel {
        title: "size on disk against claims",
        unit: (1e6, "MB"),
        lines: [
            Line { name: "table", colour: "#0a7d5a", value: |look| look.table_bytes },
            Line { name: "indexes", colour: "#b35900", value: |look| look.index_bytes },
        ],
    },
    Panel {
        title: "rows against claims, as the server counts them",
        unit: (1e3, "thousand"),
        lines: [
            Line { name: "live", colour: "#0a7d5a", value: |look| look.live },
            Line { name: "dead", colour: "#8250df", value: |look| look.dead },
        ],
    },
];

/// The picture.
pub(crate) fn draw(looks: &[Look]) -> String {
    let mut out = String::new();
    write(&mut out, looks).expect("a text takes what is written to it");
    out
}

#[expect(clippy::cast_precision_loss, reason = "two panels, and fewer than 2^52 bytes")]
fn write(out: &mut String, looks: &[Look]) -> fmt::Result {
    let height = MARGIN + (TITLE + PANEL + 30.0) * PANELS.len() as f64;
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>"
    )?;
    for (number, panel) in PANELS.iter().enumerate() {
        panel.draw(out, looks, MARGIN + (TITLE + PANEL + 30.0) * number as f64)?;
    }
    writeln!(out, "</svg>")
}

impl Panel {
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 bytes")]
    fn draw(&self, out: &mut String, looks: &[Look], top: f64) -> fmt::Result {
        let (bottom, width) = (top + TITLE + PANEL, WIDTH - LEFT - RIGHT);
        let values = looks.iter().flat_map(|look| self.lines.iter().map(|line| (line.value)(look)));
        let highest = values.max().unwrap_or_default().max(1) as f64;
        let last = looks.last().map_or(1, |look| look.claims.max(1)) as f64;
        let (divisor, unit) = self.unit;
        writeln!(
            out,
            "<text x=\"{MARGIN}\" y=\"{:.0}\" font-weight=\"bold\" fill=\"#1b1f24\">{}</text>\n\
             <path d=\"M{LEFT},{:.0} V{bottom} H{:.0}\" fill=\"none\" stroke=\"#b6bec8\"/>\n\
             <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\" fill=\"#57606a\">{:.0} {unit}</text>\n\
             <text x=\"{:.0}\" y=\"{bottom}\" text-anchor=\"end\" fill=\"#57606a\">0</text>\n\
             <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\" fill=\"#57606a\">{:.1} million</text>",
            top + 14.0,
            self.title,
            top + TITLE,
            LEFT + width,
            LEFT - 8.0,
            top + TITLE + 10.0,
            highest / divisor,
            LEFT - 8.0,
            LEFT + width,
            bottom + 18.0,
            last / 1e6,
        )?;
        for (number, line) in self.lines.iter().enumerate() {
            let mut path = String::new();
            for (at, look) in looks.iter().enumerate() {
                let x = LEFT + width * look.claims as f64 / last;
                let y = bottom - PANEL * (line.value)(look) as f64 / highest;
                write!(path, "{}{x:.1},{y:.1}", if at == 0 { "M" } else { " L" })?;
            }
            let label = top + TITLE + 14.0 + 20.0 * number as f64;
            writeln!(
                out,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{0}\" stroke-width=\"2\"/>\n\
                 <text x=\"{1:.0}\" y=\"{label:.0}\" fill=\"{0}\">{2}</text>",
                line.colour,
                LEFT + width + 12.0,
                line.name
            )?;
        }
        Ok(())
    }
}
