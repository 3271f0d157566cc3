//! Files that are refused, with a word on where and why.

use super::*;

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
