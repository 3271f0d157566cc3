//! One side's books as HTML: how many requests, how many payments, what each account holds, what moved.
//!
//! The same piece stands in the page as it is first rendered and is fetched again by its script.

use std::fmt::Write as _;

use super::side::Side;
use super::template::Html;
use crate::bank::{Account, Book, OPENING_BALANCE, Transfer};

/// How many transfers are listed; the rest is counted.
const LISTED: usize = 6;

/// The books of one side.
pub(crate) fn ledger(side: &Side) -> Html {
    side.bank.with(|book| {
        let mut html = String::from("<div class=\"books\">");
        tally(&mut html, side.requests(), book.transfers().len());
        accounts(&mut html, book);
        html.push_str("</div>");
        transfers(&mut html, book.transfers());
        Html(html)
    })
}

/// What a terminal sends does not come by here: it shows in the payments alone, so the page says whose requests it counts.
fn tally(html: &mut String, requests: usize, payments: usize) {
    let line = |count: usize, one: &str, more: &str, whose: &str| {
        let noun = if count == 1 { one } else { more };
        format!("<span class=\"count\">{count}</span> <span class=\"noun\">{noun}{whose}</span>")
    };
    let asked = line(requests, "request", "requests", " <small>from this page</small>");
    let paid = line(payments, "payment", "payments", "");
    push(html, format_args!("<p class=\"tally\"><span>{asked}</span><span class=\"paid\">{paid}</span></p>"));
}

fn accounts(html: &mut String, book: &Book) {
    html.push_str("<table class=\"accounts\"><caption class=\"unseen\">Accounts</caption>");
    html.push_str(
        "<thead class=\"unseen\"><tr><th>Account</th><th>Change</th><th>Balance</th></tr></thead><tbody>",
    );
    for account in book.accounts() {
        let Account { name, balance, .. } = *account;
        let (change, balance) = (change(balance), grouped(balance));
        push(html, format_args!("<tr><th scope=\"row\">{name}</th><td class=\"change\">{change}</td>"));
        push(html, format_args!("<td class=\"balance\">{balance} €</td></tr>"));
    }
    html.push_str("</tbody></table>");
}

fn transfers(html: &mut String, transfers: &[Transfer]) {
    html.push_str("<h3>Transfers</h3>");
    if transfers.is_empty() {
        html.push_str("<p class=\"none\">None yet.</p>");
        return;
    }
    html.push_str("<ol class=\"transfers\">");
    for Transfer { id, from, to, amount } in transfers.iter().rev().take(LISTED) {
        let (from, to, amount) = (name(from), name(to), grouped(*amount));
        push(html, format_args!("<li data-id=\"{id}\"><span class=\"id\">{id}</span>"));
        push(
            html,
            format_args!(
                "<span>{from} <span aria-hidden=\"true\">→</span><span class=\"unseen\">to</span> {to}</span>"
            ),
        );
        push(html, format_args!("<span class=\"amount\">{amount} €</span></li>"));
    }
    html.push_str("</ol>");
    if let Some(earlier @ 1..) = transfers.len().checked_sub(LISTED) {
        push(html, format_args!("<p class=\"none\">and {earlier} before</p>"));
    }
}

fn push(html: &mut String, piece: std::fmt::Arguments<'_>) {
    html.write_fmt(piece).expect("writing to a string cannot fail");
}

fn name(id: &str) -> &'static str {
    if id == "ana" { "Ana" } else { "Luis" }
}

/// `−100 €`, `+100 €`, or nothing.
fn change(balance: u64) -> String {
    match balance.cmp(&OPENING_BALANCE) {
        std::cmp::Ordering::Less => format!("−{} €", grouped(OPENING_BALANCE - balance)),
        std::cmp::Ordering::Equal => String::new(),
        std::cmp::Ordering::Greater => format!("+{} €", grouped(balance - OPENING_BALANCE)),
    }
}

/// Digits in threes with a narrow no-break space: `1 000`.
fn grouped(amount: u64) -> String {
    let digits = amount.to_string();
    let mut grouped = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_grouped_in_threes() {
        assert_eq!(
            [0, 100, 1_000, 1_234_567].map(grouped),
            ["0", "100", "1\u{202f}000", "1\u{202f}234\u{202f}567"]
        );
    }

    #[test]
    fn one_request_is_singular() {
        let mut html = String::new();
        tally(&mut html, 2, 1);
        assert!(
            html.contains(">requests <small>from this page</small><") && html.contains(">payment<"),
            "{html}"
        );
    }
}
