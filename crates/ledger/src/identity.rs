//! A ledger's identity row, and who may open it.
//!
//! The row holds the ledger's id, birth, format, recipe and its random key, wrapped by the operator's secret. Records
//! depend on the ledger key alone, so rotating the secret ([`rewrap`]) changes no record, and two gateways cannot
//! disagree while it happens. Invariant: a secret that does not open the row, or a missing row where one is expected,
//! refuses; an empty ledger must not look like a fresh start. A ledger that is moved is [`Closed`] in this row.

use std::fmt;

use bytes::Bytes;
use onlyonce_core::{LedgerKey, Timestamp, fingerprint::Recipe};

use crate::{
    aead::{Cipher, NONCE_LEN},
    random,
    store::{self, Store},
};

mod row;

pub use row::Closed;
pub(crate) use row::Parts;
use row::{FORMAT, PREFIX_LEN, damaged, newer};

const WRAP_CONTEXT: &str = "onlyonce 2026-11 secret: wrap of the ledger key";

/// How often a change of the identity is tried that others change too.
const TRIES: usize = 16;

/// Fewest bytes of a secret.
pub const SECRET_MIN: usize = 32;

/// The operator's secret. Its text form shows nothing of it.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes a secret of at least [`SECRET_MIN`] bytes.
    ///
    /// # Errors
    /// [`OpenError`] of kind [`OpenErrorKind::Secret`] if it is shorter.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, OpenError> {
        let bytes = bytes.into();
        if bytes.len() < SECRET_MIN {
            return Err(OpenError::new(
                OpenErrorKind::Secret,
                format!(
                    "the secret has {} bytes and needs {SECRET_MIN} or more: `openssl rand -hex 32` makes one",
                    bytes.len()
                ),
            ));
        }
        Ok(Self(bytes))
    }

    /// A new random secret, as 64 hexadecimal digits.
    pub fn generate() -> String {
        random::bytes::<32>().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn cipher(&self) -> Cipher {
        Cipher::new(blake3::derive_key(WRAP_CONTEXT, &self.0))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What was noted of a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// What was done before may be missing.
    pub before: Timestamp,
    /// What was noted until then. Where it is the same, nothing has changed.
    pub until_then: Option<Timestamp>,
}

/// What a ledger is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its random id.
    pub id: [u8; 16],
    /// When it was made.
    pub birth: Timestamp,
    /// The recipe that new fingerprints are made with.
    pub recipe: Recipe,
    /// Its key.
    pub key: LedgerKey,
    /// What was done before may be missing, because it was restored to an earlier state: so it was noted when it was opened.
    pub forgotten_before: Option<Timestamp>,
    /// Why it took no claims when it was opened.
    pub closed: Option<Closed>,
}

/// Why a ledger was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenErrorKind {
    /// The secret is missing, too short, or another ledger's.
    Secret,
    /// There is no ledger where one must exist.
    Missing,
    /// It was written by a newer version, or is damaged.
    Unreadable,
    /// An import into it has not ended.
    Importing,
    /// What is to be noted of it is still to come.
    Time,
    /// The store failed.
    Store,
}

/// Failed to open the ledger.
#[derive(Debug)]
pub struct OpenError {
    kind: OpenErrorKind,
    detail: String,
    source: Option<store::Error>,
}

impl OpenError {
    pub(crate) fn new(kind: OpenErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), source: None }
    }

    /// Why.
    pub const fn kind(&self) -> OpenErrorKind {
        self.kind
    }

    /// Why, in words, and what to do.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to open the ledger: {}", self.detail)
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}

impl From<store::Error> for OpenError {
    fn from(source: store::Error) -> Self {
        Self { kind: OpenErrorKind::Store, detail: source.to_string(), source: Some(source) }
    }
}

/// Reads the identity, or makes one in an empty store unless `must_exist`; with its row as it stands.
pub(crate) async fn open(
    store: &dyn Store,
    secret: &Secret,
    must_exist: bool,
) -> Result<(Identity, Bytes), OpenError> {
    if let Some(row) = store.identity().await? {
        return opened(row, secret);
    }
    if must_exist {
        return Err(OpenError::new(
            OpenErrorKind::Missing,
            "there is none, and `must_exist` is set: is the URL right? To begin a new ledger, start once with \
             `must_exist = false`",
        ));
    }
    // Also one that has ended: taken for a fresh start, everything that was done may be done again.
    if !store.is_empty().await? {
        // Unless another process has made the ledger in the meantime, and used it.
        if let Some(row) = store.identity().await? {
            return opened(row, secret);
        }
        return Err(OpenError::new(
            OpenErrorKind::Unreadable,
            "it holds records but no identity; restore it from a backup",
        ));
    }
    let identity = Identity {
        id: random::bytes(),
        birth: store.now(),
        recipe: Recipe::V1,
        key: LedgerKey::new(random::bytes()),
        forgotten_before: None,
        closed: None,
    };
    let row = write(&identity, secret, 0);
    if store.set_identity(None, row.clone()).await? {
        return Ok((identity, row));
    }
    // Another process made one in the meantime; that one counts.
    let row = store.identity().await?;
    opened(row.ok_or_else(|| OpenError::new(OpenErrorKind::Missing, "the identity vanished"))?, secret)
}

/// Whether two identity rows are one ledger's. Another secret, or that it is closed, makes it no other.
pub fn is_same_ledger(one: &[u8], other: &[u8]) -> bool {
    matches!((Parts::read(one), Parts::read(other)), (Ok(one), Ok(other)) if one.is_same_ledger(&other))
}

fn opened(row: Bytes, secret: &Secret) -> Result<(Identity, Bytes), OpenError> {
    let identity = read(&row, secret)?;
    match identity.closed {
        Some(Closed::Importing { was_open, .. }) => {
            Err(OpenError::new(OpenErrorKind::Importing, not_ended(was_open)))
        }
        Some(Closed::Exported { .. }) | None => Ok((identity, row)),
    }
}

/// What is to be done about an import that has begun and not ended.
pub(crate) const fn not_ended(was_open: bool) -> &'static str {
    match was_open {
        false => {
            "an import into it has begun and not ended: run `onlyonce ledger import` again with the whole of the same file, or \
             with a later export of the same ledger"
        }
        true => {
            "an import into it has begun and not ended: run `onlyonce ledger import` again with the whole of the same file, or \
             with a later export of the same ledger; `onlyonce ledger reopen` gives it up, and has it take keys as before"
        }
    }
}

/// Wraps the ledger key anew; no record changes. Where it is wrapped by `new` already, nothing does. Processes that have the
/// ledger open have its key, and go on.
///
/// # Errors
/// If `old` does not open the ledger, or another process rewrapped it at the same time.
pub async fn rewrap(store: &dyn Store, old: &Secret, new: &Secret) -> Result<(), OpenError> {
    let row = store.identity().await?;
    let row = row.ok_or_else(|| OpenError::new(OpenErrorKind::Missing, "there is none"))?;
    let identity = match read(&row, old) {
        // Whoever lost the answer of the first time asks again.
        Err(refused) if refused.kind() == OpenErrorKind::Secret && read(&row, new).is_ok() => return Ok(()),
        identity => identity?,
    };
    // So that whoever moves the ledger can tell the later wrapping from the earlier.
    let rewraps = Parts::read(&row)?.rewraps.saturating_add(1);
    if store.set_identity(Some(&row), write(&identity, new, rewraps)).await? {
        Ok(())
    } else {
        Err(OpenError::new(
            OpenErrorKind::Store,
            "another process changed its secret at the same time; it can be done again",
        ))
    }
}

/// Notes that the ledger was restored to an earlier state at `since`, or now: what was done before may be missing, and keys that may
/// be from then are not taken for new. The time that counts is the latest that was ever noted. Needs no secret;
/// processes that have the ledger open see it within seconds.
///
/// # Errors
/// If there is no ledger, the time is still to come, or others change the identity all the time.
pub async fn restored(store: &dyn Store, since: Option<Timestamp>) -> Result<Noted, OpenError> {
    let now = store.now();
    let since = since.unwrap_or(now);
    if since > now {
        return Err(OpenError::new(
            OpenErrorKind::Time,
            format!("{since} is still to come: it is {now} there"),
        ));
    }
    for _ in 0..TRIES {
        let row = store.identity().await?;
        let row = row.ok_or_else(|| OpenError::new(OpenErrorKind::Missing, "there is none"))?;
        let standing = Parts::read(&row)?;
        let noted = standing.restored(Some(since));
        if noted.forgotten_before == standing.forgotten_before
            || store.set_identity(Some(&row), noted.with(noted.closed)).await?
        {
            let before = noted.forgotten_before.unwrap_or(since);
            return Ok(Noted { before, until_then: standing.forgotten_before });
        }
    }
    Err(OpenError::new(
        OpenErrorKind::Store,
        "others change the ledger's identity all the time; it can be done again",
    ))
}

fn write(identity: &Identity, secret: &Secret, rewraps: u32) -> Bytes {
    let mut prefix = [0; PREFIX_LEN];
    let parts = [&[FORMAT, identity.recipe.into()][..], &identity.id, &identity.birth.as_ms().to_be_bytes()];
    prefix.copy_from_slice(&parts.concat());
    let nonce = random::bytes::<NONCE_LEN>();
    let mut wrapped = Vec::new();
    secret.cipher().seal(&nonce, &prefix, identity.key.expose(), &mut wrapped);
    let Identity { forgotten_before, closed, .. } = *identity;
    Parts { prefix: &prefix, nonce: &nonce, wrapped: &wrapped, rewraps, forgotten_before, closed: None }
        .with(closed)
}

fn read(row: &[u8], secret: &Secret) -> Result<Identity, OpenError> {
    let Parts { prefix, nonce, wrapped, forgotten_before, closed, .. } = Parts::read(row)?;
    let [_, recipe, id @ .., b0, b1, b2, b3, b4, b5, b6, b7] = *prefix;
    let key = secret.cipher().open(nonce, prefix, wrapped).ok_or_else(|| {
        OpenError::new(
            OpenErrorKind::Secret,
            "the secret is not the one that it has, which is the one that it got last",
        )
    })?;
    Ok(Identity {
        id,
        birth: Timestamp::from_ms(u64::from_be_bytes([b0, b1, b2, b3, b4, b5, b6, b7])),
        recipe: Recipe::try_from(recipe).map_err(|_| newer("recipe"))?,
        key: LedgerKey::new(key.try_into().map_err(|_| damaged())?),
        forgotten_before,
        closed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;

    fn secret(byte: u8) -> Secret {
        Secret::new(vec![byte; 32]).unwrap()
    }

    #[tokio::test]
    async fn the_ledger_key_outlives_the_secret() {
        let store = MemoryStore::new();
        let (made, _) = open(&store, &secret(1), false).await.unwrap();
        for _ in 0..2 {
            rewrap(&store, &secret(1), &secret(2)).await.unwrap();
        }
        let (found, _) = open(&store, &secret(2), true).await.unwrap();
        assert_eq!(made.key.expose(), found.key.expose());
        assert_eq!(made.id, found.id);
    }

    #[tokio::test]
    async fn another_secret_is_refused() {
        let store = MemoryStore::new();
        open(&store, &secret(1), false).await.unwrap();
        let error = open(&store, &secret(2), false).await.unwrap_err();
        assert_eq!(error.kind(), OpenErrorKind::Secret);
        assert!(rewrap(&store, &secret(2), &secret(3)).await.is_err());
    }

    #[tokio::test]
    async fn an_empty_ledger_is_refused_where_one_must_exist() {
        let error = open(&MemoryStore::new(), &secret(1), true).await.unwrap_err();
        assert_eq!(error.kind(), OpenErrorKind::Missing);
    }

    #[tokio::test]
    async fn a_newer_or_damaged_identity_is_refused() {
        let store = MemoryStore::new();
        open(&store, &secret(1), false).await.unwrap();
        let row = store.identity().await.unwrap().unwrap();
        for (at, kind) in [(0, OpenErrorKind::Unreadable), (20, OpenErrorKind::Secret)] {
            let mut changed = row.to_vec();
            changed[at] ^= 0x40;
            assert_eq!(read(&changed, &secret(1)).unwrap_err().kind(), kind);
        }
    }

    /// Only open records were asked for: a ledger that had completed all of its operations and lost its identity was
    /// taken for a fresh one, with a new key under which every one of them would run again.
    #[tokio::test]
    async fn a_row_of_any_kind_without_an_identity_is_no_fresh_start() {
        let store = MemoryStore::new();
        store.plant(onlyonce_core::RecordId([1; 16]), Some(Bytes::from_static(b"not open")));
        let error = open(&store, &secret(1), false).await.unwrap_err();
        assert_eq!(error.kind(), OpenErrorKind::Unreadable);
        assert!(store.identity().await.unwrap().is_none(), "and none is made");
    }

    #[tokio::test]
    async fn a_restore_is_noted_once_and_for_ever_and_moves_forwards_only() {
        let store = MemoryStore::new();
        let missing = restored(&store, None).await.unwrap_err();
        assert_eq!(missing.kind(), OpenErrorKind::Missing);
        open(&store, &secret(1), false).await.unwrap();
        let now = store.now();
        let (earlier, later) = (Timestamp::from_ms(now.as_ms() - 2), Timestamp::from_ms(now.as_ms() - 1));
        let mut until_then = None;
        for (since, counts) in [(earlier, earlier), (later, later), (earlier, later)] {
            let noted = restored(&store, Some(since)).await.unwrap();
            assert_eq!(noted, Noted { before: counts, until_then });
            until_then = Some(counts);
            let (found, _) = open(&store, &secret(1), true).await.unwrap();
            assert_eq!(found.forgotten_before, Some(counts));
        }
        let to_come = now.plus(std::time::Duration::from_secs(3600));
        assert_eq!(restored(&store, Some(to_come)).await.unwrap_err().kind(), OpenErrorKind::Time);
        rewrap(&store, &secret(1), &secret(2)).await.unwrap();
        let (found, _) = open(&store, &secret(2), true).await.unwrap();
        assert_eq!(found.forgotten_before, Some(later), "another secret changes nothing of it");
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert_eq!(Secret::new("short").unwrap_err().kind(), OpenErrorKind::Secret);
    }
}
