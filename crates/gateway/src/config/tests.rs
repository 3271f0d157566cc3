//! Files that are read, and files that are refused with a word on why.

use std::time::Duration;

use onlyonce_core::{LedgerKey, parameters::Redaction};
use onlyonce_http::Rules;

use super::{explain::Source, *};

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("onlyonce.toml")).map_err(|error| error.to_string())
}

/// The only route of a file.
fn route(text: &str) -> Settings {
    let mut routes = parse(text).unwrap().route;
    assert_eq!(routes.len(), 1);
    routes.remove(0).settings
}

#[test]
fn a_route_takes_from_the_defaults_what_it_does_not_say() {
    let settings = route(
        "[defaults]\nwait = \"2s\"\nmethods = [\"PUT\"]\n[defaults.fingerprint]\nauthority = false\n[defaults.outcome]\n503 = \"unknown\"\n\
         [[route]]\nmatch = \"/transfers\"\nkey = \"required\"\nlease = \"1500ms\"\n[route.fingerprint]\nbody = \"raw\"\n[route.outcome]\n429 = \"keep\"",
    );
    assert_eq!(settings.wait.0, Duration::from_secs(2));
    assert_eq!(settings.lease.0, Duration::from_millis(1500));
    assert_eq!(settings.deadline.0, Duration::from_secs(60));
    assert_eq!(settings.key, Requirement::Required);
    assert_eq!(settings.methods, ["PUT"]);
    assert!(!settings.fingerprint.authority && settings.fingerprint.body == Body::Raw);
    assert_eq!(settings.outcome.keys().collect::<Vec<_>>(), [&429, &503]);
}

#[test]
fn a_route_that_names_its_method_has_that_one() {
    assert_eq!(route("[[route]]\nmatch = \"PUT /orders/{id}\"").methods, ["PUT"]);
    assert_eq!(route("[[route]]\nmatch = \"/orders\"").methods, ["POST", "PATCH"]);
}

#[test]
fn lists_that_protect_grow_and_others_are_replaced() {
    let settings = route(
        "[defaults]\nredact = [\"ssn\"]\ncarriers = [\"header:a\"]\n[defaults.fingerprint]\nheaders = [\"x-tenant\"]\n\
         ignore = [\"/a\"]\n[defaults.headers]\ndrop = [\"x-one\"]\n\
         [[route]]\nmatch = \"/\"\nredact = [\"iban\"]\ncarriers = [\"header:b\"]\n[route.fingerprint]\nheaders = [\"x-version\"]\n\
         ignore = [\"/b\"]\n[route.headers]\ndrop = [\"x-two\"]",
    );
    assert_eq!(settings.redact, ["ssn", "iban"]);
    assert_eq!(settings.fingerprint.headers, ["x-tenant", "x-version"]);
    assert_eq!(settings.headers.drop, ["x-one", "x-two"]);
    assert_eq!(settings.carriers.len(), 1);
    assert_eq!(settings.fingerprint.ignore.len(), 1);
}

#[test]
fn settle_after_may_stand_in_the_probe_but_not_in_both_places() {
    let probe = "[[route]]\nmatch = \"POST /x\"\non_unknown = \"probe\"\n";
    let inside = "[route.probe]\nurl = \"/by/{operation_ref}\"\nsettle_after = \"2m\"";
    assert_eq!(route(&format!("{probe}{inside}")).settle_after.unwrap().0, Duration::from_secs(120));
    let error = parse(&format!("{probe}settle_after = \"1m\"\n{inside}")).unwrap_err();
    assert!(
        error.starts_with("onlyonce.toml, line 7, route `POST /x`, `probe.settle_after`: it is there twice"),
        "{error}"
    );
}

#[test]
fn what_would_do_nothing_or_what_nobody_can_guess_is_refused() {
    for (text, expected) in [
        (
            "[[route]]\nmatch = \"POST /x\"\n[route.probe]\nevery = \"1m\"",
            "line 3, route `POST /x`, `probe`: it does nothing without on_unknown = \"probe\"",
        ),
        (
            "[principal]\nheader = \"x-who\"",
            "line 2, `principal.header`: it does nothing without from = \"header\"",
        ),
        (
            "[principal]\nfrom = \"anonymous\"\ntrusted = [\"::1\"]",
            "line 3, `principal.trusted`: it does nothing without from = \"header\"",
        ),
        (
            "[cors]\ncredentials = true",
            "line 2, `cors.credentials`: it does nothing without `origins`: list the pages that may ask, such as \
             [\"https://shop.example\"]",
        ),
        (
            "[[route]]\nmatch = \"POST /x\"\ncarriers = [\"derive:/a\"]",
            "line 3, route `POST /x`, `carriers`: `retain_key` must be said where a key is derived: for how \
             long the same members mean the same operation",
        ),
        (
            "[defaults]\ncarriers = [\"derive:/a\"]",
            "line 2, `defaults.carriers`: `retain_key` must be said where a key is derived: for how long the same \
             members mean the same operation",
        ),
    ] {
        assert_eq!(told(text), format!("onlyonce.toml, {expected}"));
    }
    let derived = "carriers = [\"derive:/a\"]\nretain_result = \"1h\"\nretain_key = \"1h\"";
    assert!(parse(&format!("[[route]]\nmatch = \"/x\"\n{derived}")).is_ok());
    assert!(parse(&format!("[defaults]\n{derived}\n[[route]]\nmatch = \"/x\"")).is_ok());
    assert!(parse("[defaults.probe]\nevery = \"1m\"\n[[route]]\nmatch = \"/x\"").is_ok());
}

/// What is told, without the line that is shown below it.
fn told(text: &str) -> String {
    parse(text).unwrap_err().lines().next().unwrap().to_owned()
}

#[test]
fn an_unknown_key_is_told_with_its_line_its_place_and_the_nearest_valid_one() {
    for (text, expected) in [
        ("lisen = \"127.0.0.1:1\"", "line 1: there is no key `lisen`; did you mean `listen`?"),
        ("[defalts]\nwait = \"1s\"", "line 1: there is no key `defalts`; did you mean `defaults`?"),
        ("[[routes]]\nmatch = \"/\"", "line 1: there is no key `routes`; did you mean `route`?"),
        ("[defaults]\nwaits = \"1s\"", "line 2, [defaults]: there is no key `waits`; did you mean `wait`?"),
        ("[ledger]\nurll = \"memory:\"", "line 2, [ledger]: there is no key `urll`; did you mean `url`?"),
        (
            "[[route]]\nmatch = \"/\"\n[[route]]\nmatch = \"POST /a\"\nleese = \"1s\"",
            "line 5, route `POST /a`: there is no key `leese`; did you mean `lease`?",
        ),
        (
            "[[route]]\nmatch = \"POST /a\"\n[route.fingerprint]\nignored = []",
            "line 4, route `POST /a`, [fingerprint]: there is no key `ignored`; did you mean `ignore`?",
        ),
        ("[cors]\nzzz = 1", "line 2, [cors]: there is no key `zzz`; there are origins, credentials"),
    ] {
        assert_eq!(told(text), format!("onlyonce.toml, {expected}"));
    }
}

#[test]
fn a_value_that_is_not_valid_is_told_with_its_key_and_what_would_be() {
    for (text, expected) in [
        (
            "listen = \"localhost:8080\"",
            "line 1, `listen`: `localhost:8080` is not valid; write an IP address and a port such as 127.0.0.1:8080 or \
             0.0.0.0:8080",
        ),
        (
            "admin = \"localhost:9180\"",
            "line 1, `admin`: `localhost:9180` is not valid; write an IP address and a port such as 127.0.0.1:9180, or \
             off",
        ),
        (
            "drain = \"30\"",
            "line 1, `drain`: `30` is not valid; write a duration such as 250ms, 30s, 5m, 24h or 7d",
        ),
        (
            "drain = 30",
            "line 1, `drain`: invalid type: integer `30`, expected a duration such as 250ms, 30s, 5m, 24h or 7d",
        ),
        (
            "[[route]]\nmatch = \"POST /a\"\nkey = \"needed\"",
            "line 3, route `POST /a`, `key`: `needed` is not valid; write required, optional or off",
        ),
        (
            "[[route]]\nmatch = \"POST /a\"\non_unknown = \"rerunn\"",
            "line 3, route `POST /a`, `on_unknown`: `rerunn` is not valid; write hold, probe or rerun",
        ),
        (
            "[[route]]\nmatch = \"POST /a\"\n[route.outcome]\n503 = \"lost\"",
            "line 4, route `POST /a`, `outcome.503`: `lost` is not valid; write keep, release or unknown",
        ),
        (
            "[[route]]\nmatch = \"POST /a\"\n[route.outcome]\n1000 = \"keep\"",
            "line 4, route `POST /a`, `outcome.1000`: `1000` is not valid; write a status from 200 to 599",
        ),
        (
            "[defaults]\ncarriers = [\"header:a\", \"query:b\"]",
            "line 2, `defaults.carriers`: `query:b` is not valid; write header:idempotency-key, body:/idempotency_key, \
             form:idempotency_key, path:id, or derive:/from,/to,/amount",
        ),
        (
            "[defaults]\non_mismatch = 418",
            "line 2, `defaults.on_mismatch`: 418 is not valid; write 422, 409 or 400",
        ),
        (
            "[[route]]\nkey = \"off\"",
            "line 1, `route`: a route needs `match`, such as match = \"POST /transfers\"",
        ),
        ("[route]\nmatch = \"/\"", "line 1, `route`: each route begins with [[route]], in double brackets"),
        (
            "[cors]\norigins = [\"https://a.example/\"]",
            "line 2, `cors.origins`: `https://a.example/` is not valid; write the origin of a page, such as \
             https://shop.example (without a path, and no `*`: each page is named)",
        ),
        ("listen = ", "line 1: string values must be quoted, expected literal string"),
    ] {
        assert_eq!(told(text), format!("onlyonce.toml, {expected}"));
    }
}

#[test]
fn the_line_is_shown_with_what_is_wrong_in_it() {
    let error = parse("# ä\n[defaults]\nwait = \"5s\"\nleese = \"1s\" # ü\n").unwrap_err();
    assert!(error.ends_with("\n\n  |\n4 | leese = \"1s\" # ü\n  | ^^^^^"), "{error}");
}

/// What may be a credential is in no message, whatever is wrong with it or beside it.
#[test]
fn a_mistake_in_a_probe_is_told_without_values() {
    let route = "[[route]]\nmatch = \"POST /x\"\n";
    let probe = "on_unknown = \"probe\"\n[route.probe]\n";
    for text in [
        "headers = { x = \"hush\\n\" }",
        "headers = { x = \"hush\", y = 5 }",
        "headers.x = \"hush\" hush",
        "[route.probe.headers]\nx = \"hush\\n\"",
        "[route.probe.headers]\nx = [\"hush\"]",
        "[route.probe.headers]\nx = hush",
        "[route.probe.headers]\nx = \"hush",
        "[route.probe.headers]\nx = \"\"\"\nBearer\nhush==\n\\q\"\"\"",
        "[route.probe.headers]\n\"a b\" = \"hush\"",
        "every = \"x\"\nurl = \"https://ana:hush@x/{operation_ref}\"\nurl = \"https://ana:hush@x/{operation_ref}\"",
    ] {
        let error = parse(&format!("{route}{probe}{text}")).unwrap_err();
        assert!(!error.contains("hush"), "{text}: {error}");
    }
    for text in [
        "upstream = http://ana:hush@x",
        "route = [{ match = \"/x\", wait = 5, probe = { headers = { x = \"hush\" } } }]",
    ] {
        let error = parse(text).unwrap_err();
        assert!(!error.contains("hush"), "{text}: {error}");
    }
    let error = parse(&format!("{route}{probe}[route.probe.headers]\nx = \"hush\\n\"")).unwrap_err();
    assert!(error.contains("`probe.headers.x`: it is not valid; write the value of a header"), "{error}");
    assert!(error.ends_with("\n6 | x = \"…\"\n  |     ^^^"), "{error}");
}

#[test]
fn a_url_with_a_user_in_it_is_refused_and_not_repeated() {
    let probe =
        "[[route]]\nmatch = \"POST /x\"\non_unknown = \"probe\"\nsettle_after = \"1m\"\n[route.probe]\n";
    for (text, key) in [
        ("upstream = \"http://ana:hush@127.0.0.1:3000\"".to_owned(), "`upstream`"),
        ("upstream = \"http://ana:hu/sh@127.0.0.1\"".to_owned(), "`upstream`"),
        (format!("{probe}url = \"https://ana:hush@api.example/{{operation_ref}}\""), "`probe.url`"),
    ] {
        let config = parse(&text).unwrap();
        let refused =
            crate::Gateway::check(&config, &crate::gateway::Secrets::default()).unwrap_err().to_string();
        assert!(refused.contains(key) && !refused.contains("ana"), "{refused}");
    }
}

#[test]
fn origins_are_those_that_browsers_send() {
    for (text, origin) in [
        ("https://shop.example", Some("https://shop.example")),
        ("HTTPS://Shop.Example:443", Some("https://shop.example")),
        ("http://127.0.0.1:8081", Some("http://127.0.0.1:8081")),
        ("http://[::1]:80", Some("http://[::1]")),
        ("app://desk", Some("app://desk")),
        ("*", None),
        ("null", None),
        ("shop.example", None),
        ("https://*.shop.example", None),
        ("https://a@shop.example", None),
        ("https://shop.example/", None),
        ("https://shop.example/x", None),
        ("https://shop.example?x", None),
    ] {
        assert_eq!(Origin::read(text).as_ref().map(Origin::as_str), origin, "{text}");
    }
}

#[test]
fn the_base_of_problems_is_a_uri_that_a_name_can_follow() {
    for text in ["urn:problem-type:shop:", "https://api.example/problems/", "https://api.example/problems#"] {
        assert!(ProblemBase::read(text).is_some(), "{text}");
    }
    for text in ["", "problems", "https://api.example/problems", ":/", "a b:/", "https://x/\"/"] {
        assert!(ProblemBase::read(text).is_none(), "{text}");
    }
}

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

#[test]
fn what_cannot_be_kept_is_refused_by_the_key_that_asks_for_it() {
    let of_route = |text: &str| format!("[[route]]\nmatch = \"/x\"\n{text}");
    let probe = "on_unknown = \"probe\"\nsettle_after = \"1m\"\n[route.probe]\n";
    for (text, line, expected) in [
        ("lease = \"0s\"", 3, "`lease`: it must be at least 100ms"),
        ("lease = \"99ms\"", 3, "`lease`: it must be at least 100ms"),
        ("deadline = \"0s\"", 3, "`deadline`: it must be longer than zero"),
        ("answer_limit = \"129MiB\"", 3, "`answer_limit`: it is at most 128 MiB"),
        ("carriers = []", 3, "`carriers`: it is empty"),
        ("carriers = [\"path:id\"]\ncreate = false", 4, "`create`: it must be true with a path: carrier"),
        ("carriers = [\"path:id\"]", 3, "`carriers`: `create` must be true with a path: carrier"),
        ("create = true", 3, "`create`: it means something only with a path: carrier"),
        ("on_unknown = \"rerun\"", 3, "`on_unknown`: `settle_after` is needed where unknown"),
        (
            "on_unknown = \"rerun\"\nsettle_after = \"0s\"",
            4,
            "`settle_after`: it must be longer than zero: the longest",
        ),
        (
            "on_unknown = \"probe\"\n[route.probe]\nurl = \"/{operation_ref}\"",
            3,
            "`on_unknown`: `settle_after` is needed",
        ),
        ("on_unknown = \"probe\"\nsettle_after = \"1m\"", 3, "`on_unknown`: `probe.url` is needed"),
        (&format!("{probe}url = \"/x\""), 6, "`probe.url`: it must have {operation_ref} in it"),
        (
            &format!("{probe}url = \"/{{operation_ref}}\"\nevery = \"1ms\""),
            7,
            "`probe.every`: it must be at least 1s",
        ),
        (
            "key = \"required\"\nmethods = [\"GET\"]",
            3,
            "`key`: it is \"required\", and no method here could have",
        ),
        ("resource = \"path:id\"", 3, "`resource`: it names `path:id`, which needs `{id}` in the path"),
    ] {
        let told = told(&of_route(text));
        assert!(
            told.starts_with(&format!("onlyonce.toml, line {line}, route `/x`, {expected}")),
            "{text}: {told}"
        );
    }
    for text in ["lease = \"100ms\"", "answer_limit = \"128MiB\"", "deadline = \"7d\""] {
        assert!(parse(&of_route(text)).is_ok(), "{text}");
    }
}

/// Who has written one of two keys that do not go together learns where the other one is; also if that is nowhere.
#[test]
fn an_error_about_two_keys_says_where_both_stand() {
    let in_route = "[[route]]\nmatch = \"/x\"\n";
    for (text, expected) in [
        (
            format!("[defaults]\nretain_result = \"2h\"\n{in_route}retain_key = \"1h\""),
            "line 5, route `/x`, `retain_key`: it is 1h, and must be at least `retain_result`, 2h: a result needs its key; \
             `retain_result` stands in onlyonce.toml, line 2",
        ),
        (
            format!("{in_route}retain_key = \"1h\""),
            "line 3, route `/x`, `retain_key`: it is 1h, and must be at least `retain_result`, 24h: a result needs its key; \
             `retain_result` is not written: \"24h\" is built in",
        ),
        (
            format!("{in_route}deadline = \"8d\""),
            "line 3, route `/x`, `deadline`: `retain_key` is 7d, and must be at least `deadline`, 8d: a key is needed while \
             its request runs; `retain_key` is not written: \"7d\" is built in",
        ),
        (
            format!(
                "{in_route}on_unknown = \"probe\"\n[route.probe]\nurl = \"/{{operation_ref}}\"\nsettle_after = \"0s\""
            ),
            "line 6, route `/x`, `probe.settle_after`: it must be longer than zero: the longest that an attempt may go on \
             working after its caller is gone, such as 2m; `on_unknown` stands in onlyonce.toml, line 3",
        ),
        (
            "[defaults]\nretain_key = \"1h\"\nretain_result = \"2h\"".to_owned(),
            "line 2, `defaults.retain_key`: it is 1h, and must be at least `retain_result`, 2h: a result needs its key; \
             `retain_result` stands in onlyonce.toml, line 3",
        ),
    ] {
        assert_eq!(told(&text), format!("onlyonce.toml, {expected}"));
    }
    let error =
        parse(&format!("[defaults]\nretain_result = \"2h\"\n{in_route}retain_key = \"1h\"")).unwrap_err();
    let frames = "\n\n  |\n5 | retain_key = \"1h\"\n  |              ^^^^\n  |\n2 | retain_result = \"2h\"\n  |                 ^^^^";
    assert!(error.ends_with(frames), "{error}");
}

#[test]
fn each_setting_is_explained_by_where_it_is_written() {
    let text = "[defaults]\nwait = \"2s\"\nredact = [\"ssn\"]\n\n[[route]]\nmatch = \"PUT /a\"\nlease = \"90s\"\nredact = [\"iban\"]\n\
                on_unknown = \"probe\"\n[route.probe]\nurl = \"/{operation_ref}\"\nsettle_after = \"2m\"\n\
                headers = { x-key = \"hush\" }";
    let explain = |method, path| Config::explain(text, Path::new("onlyonce.toml"), &method, path).unwrap();
    let explained = explain(http::Method::PUT, "/a");
    assert_eq!(explained.route, Some(("PUT /a".to_owned(), 5)));
    assert!(explained.keyed);
    let found = |key: &str| {
        let setting = explained.settings.iter().find(|setting| setting.key == key).unwrap();
        (setting.value.as_deref(), setting.from)
    };
    for (key, value, from) in [
        ("methods", Some("[\"PUT\"]"), Source::Match),
        ("wait", Some("\"2s\""), Source::Defaults),
        ("lease", Some("\"90s\""), Source::Route),
        ("deadline", Some("\"60s\""), Source::BuiltIn),
        ("redact", Some("[\"ssn\", \"iban\"]"), Source::Both),
        ("settle_after", Some("\"2m\""), Source::Route),
        ("probe.headers", Some("{ x-key = \"…\" }"), Source::Route),
        ("probe.final", None, Source::BuiltIn),
    ] {
        assert_eq!(found(key), (value, from), "{key}");
    }
    let elsewhere = explain(http::Method::GET, "/a");
    assert_eq!((elsewhere.route, elsewhere.keyed), (None, false));
}

#[test]
fn what_deserves_a_second_thought_is_said_once() {
    let warnings = |text: &str| parse(text).unwrap().warnings();
    let quiet = "[ledger]\nmust_exist = true\n[principal]\ncredential = [\"header:x-api-key\"]\n";
    assert_eq!(warnings(quiet), Vec::<String>::new());
    for (text, about) in [
        ("[ledger]\nurl = \"memory:\"", "ledger.url"),
        ("[ledger]\nmust_exist = false", "ledger.must_exist"),
        ("[ledger]\nmust_exist = true", "principal.credential"),
        ("[principal]\nfrom = \"anonymous\"", "principal.from"),
        ("[principal]\nfrom = \"header\"\ntrusted = [\"0.0.0.0/0\"]", "principal.trusted"),
    ] {
        assert!(warnings(text).iter().any(|warning| warning.starts_with(about)), "{text}");
    }
    for text in [
        "mode = \"observe\"",
        "fail_open = true",
        "on_unknown = \"rerun\"\nsettle_after = \"1m\"",
        "carriers = [\"derive:/a\"]\nretain_key = \"1h\"\nretain_result = \"1h\"",
        "outcome = { 500 = \"release\" }",
    ] {
        let of_route = warnings(&format!("{quiet}[[route]]\nmatch = \"POST /a\"\n{text}"));
        assert_eq!(of_route.len(), 1, "{text}: {of_route:?}");
        assert!(of_route[0].starts_with("route `POST /a`: "), "{of_route:?}");
        let of_defaults = warnings(&format!("{quiet}[defaults]\n{text}\n[[route]]\nmatch = \"POST /a\""));
        assert_eq!(of_defaults.len(), 1, "{text}: {of_defaults:?}");
    }
}
