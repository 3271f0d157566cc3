//! Who asks, and by which kind of carrier: what turns a key into a record's id.
//!
//! Record id: 128 bits of a keyed hash over version, namespace, principal mode, principal, carrier kind (with the
//! route for path and derived keys, and what else of its path names the thing for path keys) and key, each with its
//! length. Invariant: different tuples have different ids, and another principal's key is simply a new one. How a
//! principal is established, and who is trusted to name one, is not known here.

mod principal;

use std::fmt;

pub use principal::{Principal, PrincipalMode};

use crate::{Key, LedgerKey, Owner, RecordId, fingerprint::fields::Fields, ledger_key::Purpose};

/// The version of the record id's make-up. Another one would be another ledger: no record would be found again.
const VERSION: u8 = 1;
/// How many hexadecimal digits a log shows of a key's hash.
const LOG_DIGITS: usize = 12;

/// What kind of carrier a key came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarrierKind<'a> {
    /// Header, body member or form field: one class, so that a client may change between them.
    Explicit,
    /// A path parameter of a create-once route.
    Path {
        /// The route's name; ids of different collections never meet.
        route: &'a str,
        /// What else of the path says which thing it is about, in order: `7` of one account is not `7` of another one.
        others: &'a [String],
    },
    /// Made of named body members.
    Derived {
        /// The route's name; a derived key never meets an explicit one.
        route: &'a str,
    },
}

/// Makes record ids within one namespace of one ledger.
#[derive(Clone)]
pub struct Scopes {
    namespace: String,
    record_key: [u8; 32],
    principal_key: [u8; 32],
    log_key: [u8; 32],
    /// Whose records those of everybody are, where everybody is the same.
    everybody: Owner,
}

impl Scopes {
    /// Derives the keys; made once per ledger and namespace, not per request.
    pub fn new(key: &LedgerKey, namespace: &str) -> Self {
        let principal_key = key.derive(Purpose::Principal);
        Self {
            namespace: namespace.to_owned(),
            record_key: key.derive(Purpose::RecordId),
            principal_key,
            log_key: key.derive(Purpose::Log),
            everybody: owner(&principal_key, namespace, &Principal::anonymous()),
        }
    }

    /// The id of the record of a principal's key.
    pub fn record_id(&self, principal: &Principal, carrier: CarrierKind<'_>, key: &Key) -> RecordId {
        let mut fields = Fields::new(&self.record_key);
        fields.code(VERSION);
        fields.text(&self.namespace);
        fields.code(principal.mode().into());
        fields.bytes(principal.value());
        match carrier {
            CarrierKind::Explicit => fields.code(1),
            CarrierKind::Path { route, others } => {
                fields.code(2);
                fields.text(route);
                others.iter().for_each(|other| fields.text(other));
            }
            CarrierKind::Derived { route } => {
                fields.code(3);
                fields.text(route);
            }
        }
        fields.text(key.as_str());
        let hash = fields.finish();
        RecordId(*hash.first_chunk().expect("a hash has 32 bytes"))
    }

    /// Whose records a principal's are: stored with each of them, so that only their owner is told about them.
    pub fn owner(&self, principal: &Principal) -> Owner {
        match principal.mode() {
            PrincipalMode::Anonymous => self.everybody,
            PrincipalMode::Credential | PrincipalMode::Header | PrincipalMode::Verified => {
                owner(&self.principal_key, &self.namespace, principal)
            }
        }
    }

    /// The principal behind the credentials that an upstream authenticates by: all that are listed, together.
    ///
    /// `listed` are names as configured (`header:authorization`), each with its value; their order does not count.
    pub fn credential(&self, listed: &[(&str, &[u8])]) -> Principal {
        let mut sorted = listed.to_vec();
        sorted.sort();
        let mut fields = Fields::new(&self.principal_key);
        fields.code(VERSION);
        fields.count(sorted.len());
        for (name, value) in sorted {
            fields.text(name);
            fields.bytes(value);
        }
        Principal::credential(fields.finish())
    }

    /// What logs show of a key: 12 hexadecimal digits that only the holder of the ledger key can make.
    pub fn log_hash(&self, record: RecordId) -> String {
        let hash = blake3::keyed_hash(&self.log_key, &record.0);
        hash.to_hex().chars().take(LOG_DIGITS).collect()
    }
}

fn owner(key: &[u8; 32], namespace: &str, principal: &Principal) -> Owner {
    let mut fields = Fields::new(key);
    fields.text("owner");
    fields.text(namespace);
    fields.code(principal.mode().into());
    fields.bytes(principal.value());
    let hash = fields.finish();
    Owner(*hash.first_chunk().expect("a hash has 32 bytes"))
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scopes").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::Syntax;

    fn scopes(namespace: &str) -> Scopes {
        Scopes::new(&LedgerKey::new([1; 32]), namespace)
    }

    fn key(text: &str) -> Key {
        Key::parse(text.as_bytes(), Syntax::Lenient).unwrap()
    }

    #[derive(Clone, Debug, PartialEq)]
    struct Tuple {
        namespace: String,
        mode: u8,
        principal: String,
        carrier: u8,
        route: String,
        others: Vec<String>,
        key: String,
    }

    impl Tuple {
        fn id(&self) -> RecordId {
            let scopes = scopes(&self.namespace);
            let principal = match self.mode {
                0 => Principal::header(self.principal.as_bytes()),
                1 => Principal::verified(&self.principal),
                _ => scopes.credential(&[("header:authorization", self.principal.as_bytes())]),
            };
            let carrier = match self.carrier {
                0 => CarrierKind::Path { route: &self.route, others: &self.others },
                _ => CarrierKind::Derived { route: &self.route },
            };
            scopes.record_id(&principal, carrier, &key(&self.key))
        }
    }

    prop_compose! {
        fn tuple()(
            namespace in "[ab]{0,2}", mode in 0..3u8, principal in "[ab]{0,2}", carrier in 0..2u8,
            route in "[ab]{0,2}", others in prop::collection::vec("[ab]{0,2}", 0..3), key in "[ab]{1,2}",
        ) -> Tuple {
            // A derived key is made of the whole path as it is.
            let others = if carrier == 0 { others } else { Vec::new() };
            Tuple { namespace, mode, principal, carrier, route, others, key }
        }
    }

    proptest! {
        #[test]
        fn an_id_changes_with_each_field(a in tuple(), mut b in tuple(), field in 0..7) {
            let Tuple { namespace, mode, principal, carrier, route, others, key } = &mut b;
            if field != 0 { *namespace = a.namespace.clone(); }
            if field != 1 { *mode = a.mode; }
            if field != 2 { *principal = a.principal.clone(); }
            if field != 3 { *carrier = a.carrier; }
            if field != 4 { *route = a.route.clone(); }
            if field != 5 { *key = a.key.clone(); }
            if field != 6 || *carrier != 0 { *others = if *carrier == 0 { a.others.clone() } else { Vec::new() }; }
            prop_assert_eq!(a == b, a.id() == b.id());
        }
    }

    /// Tenant `a` + principal `bc` is not tenant `ab` + principal `c`.
    #[test]
    fn no_field_runs_into_the_next() {
        let id = |namespace, principal: &str, route, key_text| {
            let principal = Principal::verified(principal);
            scopes(namespace).record_id(&principal, CarrierKind::Path { route, others: &[] }, &key(key_text))
        };
        assert_ne!(id("a", "bc", "r", "k"), id("ab", "c", "r", "k"));
        assert_ne!(id("n", "a", "bc", "k"), id("n", "ab", "c", "k"));
        assert_ne!(id("n", "p", "a", "bc"), id("n", "p", "ab", "c"));
    }

    #[test]
    fn another_mode_is_another_principal() {
        let scopes = scopes("");
        let credential = scopes.credential(&[]);
        let id = |principal: &Principal| scopes.record_id(principal, CarrierKind::Explicit, &key("k"));
        let copied = Principal::header(credential.value());
        assert_ne!(id(&copied), id(&credential));
        assert_ne!(id(&Principal::header(b"")), id(&Principal::anonymous()));
        assert_ne!(id(&Principal::header(b"u")), id(&Principal::verified("u")));
    }

    #[test]
    fn explicit_path_and_derived_keys_never_meet() {
        let scopes = scopes("");
        let id = |carrier| scopes.record_id(&Principal::anonymous(), carrier, &key("7"));
        let ids = [
            id(CarrierKind::Explicit),
            id(CarrierKind::Path { route: "orders", others: &[] }),
            id(CarrierKind::Path { route: "invoices", others: &[] }),
            id(CarrierKind::Derived { route: "orders" }),
        ];
        for (index, one) in ids.iter().enumerate() {
            assert!(!ids[index + 1..].contains(one));
        }
    }

    /// Two accounts number their transfers from 1.
    #[test]
    fn what_else_names_the_thing_keeps_path_keys_apart() {
        let scopes = scopes("");
        let id = |route, others: &[&str], text| {
            let others: Vec<_> = others.iter().map(|other| (*other).to_owned()).collect();
            scopes.record_id(
                &Principal::anonymous(),
                CarrierKind::Path { route, others: &others },
                &key(text),
            )
        };
        let ids = [
            id("r", &[], "7"),
            id("r", &["7"], "7"),
            id("r", &["8"], "7"),
            id("r", &["7"], "8"),
            id("r", &["7", "8"], "7"),
            id("r", &["8", "7"], "7"),
            id("r", &["78"], "7"),
            id("r", &["", "78"], "7"),
            id("r7", &[], "7"),
        ];
        for (index, one) in ids.iter().enumerate() {
            assert!(!ids[index + 1..].contains(one), "{index}");
        }
    }

    #[test]
    fn a_credential_is_all_that_is_listed_in_any_order() {
        let scopes = scopes("");
        let (token, cookie) =
            (("header:authorization", b"Bearer t".as_slice()), ("cookie:sid", b"s".as_slice()));
        let both = scopes.credential(&[token, cookie]);
        assert_eq!(scopes.credential(&[cookie, token]), both);
        assert_ne!(scopes.credential(&[token]), both);
        assert_ne!(scopes.credential(&[token, ("cookie:sid", b"t")]), both);
        assert_ne!(scopes.credential(&[token, ("cookie:tid", b"s")]), both);
        assert_ne!(
            scopes.credential(&[("header:authorization", b"Bearer "), ("t", b"")]),
            scopes.credential(&[token])
        );
    }

    #[test]
    fn a_log_hash_is_short_keyed_and_scoped() {
        let id = scopes("").record_id(&Principal::anonymous(), CarrierKind::Explicit, &key("order-17"));
        let other = Scopes::new(&LedgerKey::new([2; 32]), "");
        let hash = scopes("").log_hash(id);
        assert!(hash.len() == 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
        assert_ne!(hash, other.log_hash(id));
        assert_ne!(hash, scopes("").log_hash(RecordId([0; 16])));
    }

    #[test]
    fn version_1_of_the_record_id_stays_as_it_is() {
        // Ids are stored: if this one moves, every completed operation of a ledger in use runs again.
        let scopes = scopes("bank");
        let principal = scopes.credential(&[("header:authorization", b"Bearer t")]);
        let id =
            |others| scopes.record_id(&principal, CarrierKind::Path { route: "orders", others }, &key("7"));
        assert_eq!(format!("{:?}", id(&[])), "RecordId:b0dca490aa4c4e38b609cc5e9f9a55bf");
        assert_eq!(format!("{:?}", id(&["a".to_owned()])), "RecordId:da6be387ae588895c32ffb0531f411ae");
    }
}
