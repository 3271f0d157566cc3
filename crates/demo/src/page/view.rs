//! The page as HTML, and the files it needs. Everything is in the binary; no other host is asked for anything.

use super::form::Switches;
use super::ledger::ledger;
use super::side::{Lane, Sides};
use super::template::{Html, fill, text};
use crate::demo::Addresses;
use crate::instructions::Terminal;

pub(crate) const STYLE: &str = include_str!("../../assets/style.css");
pub(crate) const SCRIPT: &str = include_str!("../../assets/page.js");
pub(crate) const ICON: &str = include_str!("../../assets/icon.svg");

const PAGE: &str = include_str!("../../assets/page.html");

/// What one rendering of the page shows besides the books.
pub(crate) struct View<'a> {
    /// The hidden field: a new key, or the one that was just used.
    pub(crate) key: &'a str,
    pub(crate) switches: Switches,
    /// What a classic form got back, and on which side.
    pub(crate) answer: Option<(Lane, Html)>,
}

impl View<'_> {
    pub(crate) fn render(self, addresses: Addresses, sides: &Sides) -> Html {
        let Switches { network, other_amount, by_luis } = self.switches;
        let (guarded_answer, naive_answer) = match self.answer {
            Some((Lane::Guarded, answer)) => (answer, Html::default()),
            Some((Lane::Naive, answer)) => (Html::default(), answer),
            None => (Html::default(), Html::default()),
        };
        let fillings = [
            ("key", text(self.key)),
            ("slow", ticked(network.slow)),
            ("lost", ticked(network.loses_answer)),
            ("other", ticked(other_amount)),
            ("luis", ticked(by_luis)),
            ("guarded_ledger", ledger(&sides.guarded)),
            ("naive_ledger", ledger(&sides.naive)),
            ("guarded_answer", guarded_answer),
            ("naive_answer", naive_answer),
            ("gateway", text(&addresses.gateway.to_string())),
            ("bank", text(&addresses.bank.to_string())),
            ("twin", text(&addresses.twin.to_string())),
            ("terminal", text(&Terminal(addresses).to_string())),
        ];
        fill(PAGE, &fillings)
    }
}

fn ticked(on: bool) -> Html {
    Html(if on { "checked".into() } else { String::new() })
}
