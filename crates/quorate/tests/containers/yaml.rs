//! YAML, as far as the files of `deploy/` need it.

use yaml_rust2::{Yaml, YamlLoader};

/// The documents of a file, with what is merged into their maps (`<<`).
pub fn documents(text: &str) -> Vec<Yaml> {
    let documents = YamlLoader::load_from_str(text).expect("it is YAML");
    documents.iter().map(merged).collect()
}

/// The same with every `<<` replaced by the pairs that it stands for; those of the map itself win.
fn merged(node: &Yaml) -> Yaml {
    match node {
        Yaml::Hash(pairs) => {
            let key = Yaml::String("<<".to_owned());
            let mut result = match pairs.get(&key).map(merged) {
                Some(Yaml::Hash(base)) => base,
                None => Default::default(),
                Some(other) => panic!("{other:?} cannot be merged into a map"),
            };
            for (name, value) in pairs.iter().filter(|(name, _)| **name != key) {
                result.insert(name.clone(), merged(value));
            }
            Yaml::Hash(result)
        }
        Yaml::Array(items) => Yaml::Array(items.iter().map(merged).collect()),
        scalar => scalar.clone(),
    }
}

/// A value that has to be text, or a number or truth value that stands for its own text.
pub fn text(node: &Yaml) -> String {
    match node {
        Yaml::String(text) => text.clone(),
        Yaml::Integer(number) => number.to_string(),
        Yaml::Boolean(value) => value.to_string(),
        other => panic!("{other:?} is not text"),
    }
}

/// A list of texts.
pub fn texts(node: &Yaml) -> Vec<String> {
    node.as_vec().unwrap_or_else(|| panic!("{node:?} is not a list")).iter().map(text).collect()
}

/// The pairs of a map whose values are text; none if there is no such map.
pub fn pairs(node: &Yaml) -> Vec<(String, String)> {
    let hash = node.as_hash().into_iter().flatten();
    hash.map(|(name, value)| (text(name), text(value))).collect()
}

#[test]
fn what_is_merged_gives_way_to_what_is_said() {
    let documents = documents("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n");
    assert_eq!(
        pairs(&documents[0]["b"]),
        [("x".to_owned(), "1".to_owned()), ("y".to_owned(), "3".to_owned())]
    );
}
