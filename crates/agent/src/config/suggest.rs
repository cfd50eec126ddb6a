//! The known key that an unknown one was probably meant to be.

/// Keys of kube-proxy that have another name in our own kind.
const RENAMED: [(&str, &str); 2] = [("hostnameOverride", "nodeName"), ("mode", "backend")];

/// ` (did you mean KEY?)`, or empty if no known key is near.
pub(super) fn hint<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let bare = unknown.trim_matches('"');
    if let Some((parent, key)) = bare.rsplit_once('.').filter(|_| known.contains(&bare)) {
        return format!(" (write {key} below {parent})");
    }
    let renamed = RENAMED
        .iter()
        .find(|(theirs, ours)| *theirs == unknown && known.contains(ours))
        .map(|(_, ours)| *ours);
    match renamed.or_else(|| nearest(unknown, &known)) {
        Some(key) => format!(" (did you mean {key}?)"),
        None => String::new(),
    }
}

fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|key| (distance(unknown, key), *key))
        .filter(|(distance, key)| *distance <= 1 + key.len() / 5)
        .min()
        .map(|(_, key)| key)
}

/// A right key under a wrong parent is as near as one misspelt letter.
fn distance(unknown: &str, known: &str) -> usize {
    let last = |key: &str| key.rsplit('.').next().unwrap_or(key).to_lowercase();
    let whole = strsim::damerau_levenshtein(&unknown.to_lowercase(), &known.to_lowercase());
    whole.min(1 + strsim::damerau_levenshtein(&last(unknown), &last(known)))
}
