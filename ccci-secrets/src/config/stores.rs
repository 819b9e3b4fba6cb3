//! How new text is laid out.

use super::error::ConfigError;
use super::read::Reader;
use crate::document::NodeId;

const KNOWN: [&str; 5] = ["dotenv", "ini", "json", "json_binary", "yaml"];

/// `stores.*.indent`: spaces for each level, where the file says so. For JSON, -1 is a tab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stores {
    /// Of JSON files.
    pub json_indent: Option<i64>,
    /// Of the JSON that holds a binary file.
    pub json_binary_indent: Option<i64>,
    /// Of YAML files; 0 is the default, 4.
    pub yaml_indent: Option<i64>,
}

pub(super) fn read(reader: &Reader<'_>, id: NodeId) -> Result<Stores, ConfigError> {
    let mut stores = Stores::default();
    let fields = reader.fields("stores", id)?;
    reader.refuse_unknown(&fields, &KNOWN, "`stores`")?;
    for field in &fields {
        let (options, known): (_, &[&'static str]) = match field.name {
            "json" => (Some((&mut stores.json_indent, -1)), &["indent"]),
            "json_binary" => (Some((&mut stores.json_binary_indent, -1)), &["indent"]),
            "yaml" => (Some((&mut stores.yaml_indent, 0)), &["indent"]),
            _ => (None, &[]),
        };
        let settings = reader.fields(field.name, field.value)?;
        reader.refuse_unknown(&settings, known, "the options of a store")?;
        let (Some((indent, lowest)), Some(setting)) = (options, settings.first()) else {
            continue;
        };
        *indent = reader
            .number(setting.name, setting.value)?
            .map(|number| match number {
                number if number < lowest => {
                    Err(reader.wrong_type("indent", "a number of spaces", setting.value))
                }
                number => Ok(number),
            })
            .transpose()?;
    }
    Ok(stores)
}
