//! The chart, row by row, and what must hold over any history.
//!
//! `tests/*.txt` holds one row per state and event: an independent statement of the chart, written by hand.
//! [`table`] runs them; [`properties`] runs random histories.

mod fixtures;
mod properties;
mod table;
