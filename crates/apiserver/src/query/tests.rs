use super::*;

fn parse(query: &str) -> Result<Query, Refusal> {
    Query::parse(Resource::Services, Dialect::Stable, None, query)
}

#[test]
fn what_clients_ask_for_is_understood() {
    let query = parse(
        "allowWatchBookmarks=true&labelSelector=%21service.kubernetes.io%2Fheadless%2C%21b\
         &resourceVersion=7&timeoutSeconds=431&watch=true&timeout=7m11s",
    )
    .unwrap();
    assert!(query.watch && query.bookmarks && query.selection.labels.len() == 2);
    assert_eq!(query.version, Version::At(7));
    assert_eq!(query.timeout, Some(Duration::from_secs(431)));
    let query = parse("limit=500&resourceVersion=0&continue=").unwrap();
    assert_eq!((query.limit, query.version, query.watch), (Some(500), Version::Any, false));
    let query =
        parse("watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=");
    assert!(query.unwrap().is_streaming_list());
}

#[test]
fn whatever_is_neither_missing_nor_0_nor_false_is_true() {
    for (query, expected) in [
        ("", false),
        ("watch=0", false),
        ("watch=false", false),
        ("watch=FALSE", false),
        ("watch=", true),
        ("watch", true),
        ("watch=f", true),
        ("watch=true", true),
        ("watch=perhaps", true),
    ] {
        assert_eq!(parse(query).unwrap().watch, expected, "{query}");
    }
}

#[test]
fn a_list_goes_on_where_its_token_says() {
    let from = Continue { version: 12, after: Key::new("shop", "web") };
    assert_eq!(Continue::parse(&from.token()), Some(from));
}

#[test]
fn what_the_api_forbids_is_refused() {
    for (query, code) in [
        ("labelSelector=a+b", 400),
        ("fieldSelector=status.phase%3Dx", 400),
        ("limit=-1", 400),
        ("limit=many", 400),
        ("resourceVersion=x", 400),
        ("continue=x", 400),
        ("resourceVersion=1&resourceVersionMatch=Newest", 422),
        ("watch=true&sendInitialEvents=true&resourceVersion=1&resourceVersionMatch=Newest", 422),
        ("limit=1&continue=1/a/b&resourceVersion=1", 400),
        ("sendInitialEvents=true", 422),
        ("watch=true&sendInitialEvents=true", 422),
        ("watch=true&sendInitialEvents=true&resourceVersion=1&resourceVersionMatch=Exact", 422),
        ("watch=true&resourceVersion=1&resourceVersionMatch=NotOlderThan", 422),
        ("resourceVersionMatch=Exact", 422),
        ("resourceVersion=0&resourceVersionMatch=Exact", 422),
        ("resourceVersion=1&resourceVersionMatch=Exact&continue=1/a/b", 422),
    ] {
        assert_eq!(parse(query).unwrap_err().code, code, "{query}");
    }
}
