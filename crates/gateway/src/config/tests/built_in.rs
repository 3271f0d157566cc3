//! The built-in file.

use onlyonce_core::parameters::Redaction;
use onlyonce_http::Rules;

use super::*;

#[test]
fn what_is_built_in_is_what_the_contract_says() {
    let key = LedgerKey::new([0; 32]);
    let built_in = Settings::default().rules("*", &key).unwrap();
    let contract = Rules::new("*", Redaction::new(&key, &Vec::<String>::new()));
    macro_rules! same {
        ($($field:ident),+) => { $(assert!(built_in.$field == contract.$field, stringify!($field));)+ };
    }
    same!(
        name,
        mode,
        requirement,
        methods,
        carriers,
        syntax,
        forward_key,
        late,
        after_restore,
        ulid,
        policy,
        wait,
        request_limit,
        request_time,
        answer_limit,
        mismatch,
        conflict,
        sameness,
        outcomes,
        store_body,
        drop,
        fail_open,
        resource,
        publish
    );
}

#[test]
fn what_is_commented_out_in_the_built_in_file_is_valid_too() {
    let config = parse(&layers::everything()).unwrap();
    assert_eq!(config.route.len(), 1);
    assert_eq!(config.defaults.settle_after.unwrap().0, Duration::from_secs(120));
    assert!(config.defaults.probe.stands.is_some() && config.defaults.outcome.len() == 1);
}

#[test]
fn the_built_in_file_has_every_key() {
    let everything = layers::everything();
    let tree = DeTable::parse(&everything).unwrap();
    for path in [
        "",
        "ledger",
        "principal",
        "cors",
        "defaults",
        "defaults.fingerprint",
        "defaults.headers",
        "defaults.probe",
    ] {
        let text =
            if path.is_empty() { "unheard-of = 1".to_owned() } else { format!("[{path}]\nunheard-of = 1") };
        let error = parse(&text).unwrap_err();
        let (_, valid) = error.lines().next().unwrap().split_once("; there are ").unwrap();
        let steps = path.split('.').filter(|step| !step.is_empty());
        let table = steps.fold(tree.get_ref(), |table, step| table[step].get_ref().as_table().unwrap());
        for key in valid.split(", ") {
            assert!(table.contains_key(key), "[{path}] {key}");
        }
    }
}
