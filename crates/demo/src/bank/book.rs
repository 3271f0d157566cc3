//! Two accounts and what moved between them.
//!
//! Invariant: the balances always add up to what the bank opened with. Nothing here knows HTTP.

use std::fmt;

use serde::Serialize;

/// What each account holds at first, in euros.
pub(crate) const OPENING_BALANCE: u64 = 1_000;

/// How many transfers a book takes; only a script gets there.
const PAGES: usize = 100_000;

/// The bank's whole memory.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    accounts: [Account; 2],
    transfers: Vec<Transfer>,
}

/// An account: amounts are whole euros.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Account {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) balance: u64,
}

/// Money that moved.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Transfer {
    pub(crate) id: String,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) amount: u64,
}

/// Why no money moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The bank knows only Ana and Luis.
    NoSuchAccount(String),
    /// From an account to itself.
    SameAccount,
    /// Zero is no amount.
    NothingToMove,
    /// More than there is.
    TooLittle { has: u64 },
    /// No page left in the book.
    BookFull,
}

impl Default for Book {
    fn default() -> Self {
        let account = |id, name| Account { id, name, balance: OPENING_BALANCE };
        Self { accounts: [account("ana", "Ana"), account("luis", "Luis")], transfers: Vec::new() }
    }
}

impl Book {
    /// Moves money: each time it is called, which is the whole trouble.
    pub(crate) fn transfer(&mut self, from: &str, to: &str, amount: u64) -> Result<&Transfer, Refusal> {
        let [ana, luis] = &mut self.accounts;
        let (payer, payee) = match (from, to) {
            ("ana", "luis") => (ana, luis),
            ("luis", "ana") => (luis, ana),
            ("ana", "ana") | ("luis", "luis") => return Err(Refusal::SameAccount),
            ("ana" | "luis", unknown) | (unknown, _) => {
                return Err(Refusal::NoSuchAccount(unknown.to_owned()));
            }
        };
        if amount == 0 {
            return Err(Refusal::NothingToMove);
        }
        if self.transfers.len() >= PAGES {
            return Err(Refusal::BookFull);
        }
        let rest = payer.balance.checked_sub(amount).ok_or(Refusal::TooLittle { has: payer.balance })?;
        payer.balance = rest;
        payee.balance += amount;
        let id = format!("t-{}", self.transfers.len() + 1);
        let (from, to) = (payer.id, payee.id);
        Ok(self.transfers.push_mut(Transfer { id, from, to, amount }))
    }

    pub(crate) fn accounts(&self) -> &[Account; 2] {
        &self.accounts
    }

    /// Oldest first.
    pub(crate) fn transfers(&self) -> &[Transfer] {
        &self.transfers
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchAccount(id) => write!(f, "there is no account {id:?}, only \"ana\" and \"luis\""),
            Self::SameAccount => f.write_str("from and to are the same account"),
            Self::NothingToMove => f.write_str("the amount must be at least 1"),
            Self::TooLittle { has } => write!(f, "the account holds {has} €, which is less than the amount"),
            Self::BookFull => f.write_str("the book is full: POST /reset opens a new one"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asked_twice_it_pays_twice() {
        let mut book = Book::default();
        book.transfer("ana", "luis", 100).unwrap();
        book.transfer("ana", "luis", 100).unwrap();
        assert_eq!(book.accounts().map(|account| account.balance), [800, 1_200]);
        assert_eq!(book.transfers().len(), 2);
    }

    #[test]
    fn a_refused_transfer_moves_nothing() {
        let refused = [
            ("ana", "eve", 1, Refusal::NoSuchAccount("eve".into())),
            ("eve", "ana", 1, Refusal::NoSuchAccount("eve".into())),
            ("ana", "ana", 1, Refusal::SameAccount),
            ("ana", "luis", 0, Refusal::NothingToMove),
            ("luis", "ana", 1_001, Refusal::TooLittle { has: 1_000 }),
            ("luis", "ana", u64::MAX, Refusal::TooLittle { has: 1_000 }),
        ];
        for (from, to, amount, refusal) in refused {
            let mut book = Book::default();
            assert_eq!(book.transfer(from, to, amount).unwrap_err(), refusal, "{from} {to} {amount}");
            assert_eq!(book.accounts().map(|account| account.balance), [1_000, 1_000]);
            assert!(book.transfers().is_empty());
        }
    }
}
