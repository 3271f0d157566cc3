//! Where a setting is from, what deserves a second thought, and what the values of some are.

use super::{explain::Source, *};

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
fn a_path_that_reads_two_ways_is_explained_as_the_door_judges_it() {
    let judged = |text: &str, method, path| {
        Config::explain(text, Path::new("onlyonce.toml"), &method, path).unwrap().ambiguous
    };
    let evasive = "[[route]]\nmatch = \"POST /a:b\"\nkey = \"off\"\n[[route]]\nmatch = \"POST /{any}\"\nkey = \"required\"";
    for (method, path, ambiguous) in [
        (http::Method::POST, "/a%3Ab", true),
        (http::Method::POST, "/a:b", false),
        (http::Method::POST, "/c%3Ab", false),
        (http::Method::POST, "/a/../b", true),
        (http::Method::GET, "/a/../b", false),
    ] {
        assert_eq!(judged(evasive, method, path), ambiguous, "{path}");
    }
    assert!(!judged("", http::Method::POST, "/a/../b"), "where no route asks for keys, no path is refused");
}

#[test]
fn what_deserves_a_second_thought_is_said_once() {
    let warnings = |text: &str| parse(text).unwrap().warnings();
    let quiet = "[ledger]\nmust_exist = true\nmax_bytes = \"65MiB\"\n[principal]\ncredential = [\"header:x-api-key\"]\n";
    assert_eq!(warnings(quiet), Vec::<String>::new());
    for (text, about) in [
        ("[ledger]\nurl = \"memory:\"", "ledger.url"),
        ("[ledger]\nmust_exist = false", "ledger.must_exist"),
        ("[ledger]\nmax_bytes = \"64MiB\"", "ledger.max_bytes"),
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
