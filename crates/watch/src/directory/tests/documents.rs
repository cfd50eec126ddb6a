use super::super::documents::{Document, read_documents};
use super::super::split::split;

/// Number, line and kind of each document, or why it is broken.
fn kinds(text: &str, name_says_json: bool) -> Vec<(usize, u64, Result<String, String>)> {
    let kind = |document: Document| {
        let kind = document.content.map(|manifest| manifest.kind.value().unwrap().clone());
        (document.number, document.line, kind)
    };
    read_documents(text, name_says_json).into_iter().map(kind).collect()
}

fn ok(number: usize, line: u64, kind: &str) -> (usize, u64, Result<String, String>) {
    (number, line, Ok(kind.to_owned()))
}

#[test]
fn what_kubectl_takes_is_read() {
    for (text, expected) in [
        ("kind: A\n", vec![ok(1, 1, "A")]),
        ("---\nkind: A\n---\nkind: B\n...\n", vec![ok(1, 2, "A"), ok(2, 4, "B")]),
        ("# Source: chart\n---\n---\n# nothing\n---\nkind: A\n", vec![ok(1, 6, "A")]),
        ("\u{feff}kind: A\n", vec![ok(1, 1, "A")]),
        ("\u{feff}---\r\nkind: A\r\n---\r\nkind: B\r\n", vec![ok(1, 2, "A"), ok(2, 4, "B")]),
        ("%YAML 1.1\n---\nkind: A\n", vec![ok(1, 3, "A")]),
        ("kind: &kind A\nother: *kind\n", vec![ok(1, 1, "A")]),
        ("base: &base {kind: A}\n<<: *base\n", vec![ok(1, 1, "A")]),
        ("kind: A # comment\nnote: |\n  ---\n  text\n", vec![ok(1, 1, "A")]),
        ("kind: A\nunread: {depth: .inf, size: 1e999, octal: 0755}\n", vec![ok(1, 1, "A")]),
        ("null\n---\n~\n---\nkind: A\n", vec![ok(1, 5, "A")]),
        ("{kind: A}\n", vec![ok(1, 1, "A")]),
        ("{\"kind\": \"A\"}", vec![ok(1, 1, "A")]),
        ("{\"kind\": \"A\"}\n\n {\"kind\": \"B\"}\n", vec![ok(1, 1, "A"), ok(2, 3, "B")]),
        ("{\"kind\": \"A\"}\n---\n{\"kind\": \"B\"}\n", vec![ok(1, 1, "A"), ok(2, 3, "B")]),
        ("", vec![]),
    ] {
        assert_eq!(kinds(text, false), expected, "{text:?}");
    }
}

#[test]
fn a_broken_document_leaves_its_neighbours_alone() {
    for (broken, line, reason) in [
        ("kind: B\n bad: [\n", 4, "column 5: broken YAML: mapping values are not allowed"),
        ("kind: 'B\n", 3, "column 7: broken YAML: unclosed quote"),
        ("kind: B\nkind: C\n", 4, "column 1: broken YAML: duplicate mapping key `kind`"),
        ("spec:\n  unread: 1\n  unread: 2\n", 5, "column 3: broken YAML: duplicate mapping key"),
        ("kind: *nobody\n", 3, "column 7: broken YAML: reference to unknown value"),
        ("spec:\n\tports: 1\n", 4, "column 2: broken YAML: tabs disallowed"),
        ("- kind: B\n", 3, "a list where a Kubernetes object is expected"),
        ("text\n", 3, "a text where a Kubernetes object is expected"),
    ] {
        let text = format!("kind: A\n---\n{broken}---\nkind: Z\n");
        let documents = kinds(&text, false);
        let [first, second, third] = &documents[..] else { panic!("{documents:?}") };
        assert_eq!(first, &ok(1, 1, "A"));
        assert_eq!((second.0, second.1), (2, line), "{broken:?}: {second:?}");
        let found = second.2.as_ref().unwrap_err();
        assert!(found.starts_with(reason), "{broken:?}: {found}");
        assert_eq!((third.0, third.2.as_deref()), (3, Ok("Z")));
    }
}

#[test]
fn broken_json_costs_what_follows_it() {
    for (text, line, reason) in [
        ("{\"kind\": \"A\"}\n{\"kind\": \"B\",}\n{\"kind\": \"C\"}", 2, "trailing comma"),
        ("{\"kind\": \"A\"}\n{\"kind\": \"B\"", 2, "EOF while parsing an object"),
        ("{\"kind\": \"A\"}\n{\"kind\": 1,\n\"kind\": 2}", 3, "duplicate field `kind`"),
        ("{\"kind\": \"A\"}\nkind: B\n", 2, "expected value"),
    ] {
        let documents = kinds(text, true);
        let [first, second] = &documents[..] else { panic!("{text:?}: {documents:?}") };
        assert_eq!(first, &ok(1, 1, "A"));
        assert_eq!((second.0, second.1), (2, line), "{text:?}");
        let found = second.2.as_ref().unwrap_err();
        assert!(found.contains("nothing after it is read") && found.contains(reason), "{found}");
    }
}

#[test]
fn no_size_of_a_list_is_too_large() {
    // More nodes than the parser lets through unless it is told otherwise.
    let mut text = String::from("kind: List\nitems:\n");
    for _ in 0..30_000 {
        text.push_str("- {kind: Service, spec: {ports: [{port: 80}]}}\n");
    }
    assert_eq!(kinds(&text, false), [ok(1, 1, "List")]);
}

#[test]
fn hostile_depth_and_aliases_end_in_a_message() {
    let deep = format!("kind: A\nunread: {}\n", "[".repeat(100_000));
    let blocks: String = (0..20_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let mut aliases = String::from("a0: &a0 [x, x]\n");
    for level in 1..40 {
        let before = level - 1;
        aliases.push_str(&format!("a{level}: &a{level} [*a{before}, *a{before}, *a{before}]\n"));
    }
    for text in [&deep, &blocks, &aliases] {
        let documents = kinds(text, false);
        assert!(matches!(&documents[..], [(1, _, Err(_))]), "{:?}", documents.first());
    }
    let json = format!("{{\"kind\": \"A\", \"unread\": {}", "[".repeat(100_000));
    assert!(matches!(&kinds(&json, true)[..], [(1, _, Err(_))]));
}

#[test]
fn aliases_that_multiply_are_stopped_early() {
    let mut text = String::from("kind: A\na0: &a0 [x, x]\n");
    for level in 1..10 {
        let before = level - 1;
        text.push_str(&format!("a{level}: &a{level} [*a{before}, *a{before}, *a{before}]\n"));
    }
    // 3^9 times two scalars: a twentieth of what the parser stops by itself.
    assert!(matches!(&kinds(&text, false)[..], [(1, _, Err(_))]));
}

#[test]
fn a_large_list_may_share_the_labels_of_its_objects() {
    let mut text = String::from("kind: List\nlabels: &labels {app: shop, tier: web}\nitems:\n");
    for _ in 0..5_000 {
        text.push_str("- {kind: Service, metadata: {labels: *labels}}\n");
    }
    assert_eq!(kinds(&text, false), [ok(1, 1, "List")]);
}

#[test]
fn no_text_makes_the_reader_stop_early() {
    let text = "kind: A\n---\n---\n...\n--- x\n%Y\n#\n";
    for end in 0..=text.len() {
        for start in 0..end {
            let part = &text[start..end];
            let covered: usize = split(part).iter().map(|chunk| chunk.text.len()).sum();
            assert!(covered <= part.len(), "{part:?}");
            read_documents(part, false);
            read_documents(part, true);
        }
    }
}
