//! How text that is laid out anew is indented: as `--indent` says, else `stores` in `.sops.yaml`, else as sops does it.

use ccci_secrets::config::Stores;
use ccci_secrets::document::{CanonicalLayout, Format};

use crate::error::CommandError;
use crate::exit::Exit;

/// What was said about indentation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Indents {
    /// Of the flag, for every format.
    pub(crate) flag: Option<i64>,
    /// Of the configuration.
    pub(crate) stores: Stores,
}

impl Indents {
    /// The layout of a file of that format. That of a binary file is the layout of the JSON it is sealed in.
    pub(crate) fn layout(self, format: Format) -> Result<CanonicalLayout, CommandError> {
        let mut layout = CanonicalLayout::default();
        match format {
            Format::Yaml => {
                let spaces = self.flag.or(self.stores.yaml_indent).unwrap_or_default();
                layout.yaml_indent = yaml(spaces)?;
            }
            Format::Json => layout.json_indent = json(self.flag.or(self.stores.json_indent))?,
            Format::Binary => {
                layout.json_indent = json(self.flag.or(self.stores.json_binary_indent))?;
            }
            _ => {}
        }
        Ok(layout)
    }
}

fn yaml(spaces: i64) -> Result<u8, CommandError> {
    match spaces {
        ..0 => Err(refused("YAML Negative indentation not accepted")),
        // From 10 on every number means the same.
        0.. => Ok(u8::try_from(spaces).unwrap_or(u8::MAX)),
    }
}

fn json(spaces: Option<i64>) -> Result<Option<u8>, CommandError> {
    match spaces {
        None | Some(TAB) => Ok(None),
        Some(..TAB) => Err(refused(
            "JSON Indentation parameter smaller than -1 is not accepted",
        )),
        Some(spaces) => u8::try_from(spaces)
            .map(Some)
            .map_err(|_| refused("JSON is indented by 255 spaces at most")),
    }
}

fn refused(text: &str) -> CommandError {
    CommandError::usage(text).exit_with(Exit::SopsCannotPrint)
}

/// What stands for a tab.
const TAB: i64 = -1;

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(indent: i64) -> Indents {
        Indents {
            flag: Some(indent),
            ..Indents::default()
        }
    }

    #[test]
    fn the_numbers_of_sops_mean_the_same_here() {
        let json = |indent| flag(indent).layout(Format::Json).map(|to| to.json_indent);
        let yaml = |indent| flag(indent).layout(Format::Yaml).map(|to| to.yaml_indent);
        assert!(matches!(json(-1), Ok(None)));
        assert!(matches!(json(0), Ok(Some(0))));
        assert!(matches!(yaml(0), Ok(0)));
        assert!(matches!(yaml(300), Ok(255)));
        assert!(json(-2).is_err() && json(256).is_err() && yaml(-1).is_err());
    }

    #[test]
    fn every_format_has_its_own_setting_and_the_flag_wins() {
        let mut indents = Indents::default();
        indents.stores.json_indent = Some(2);
        indents.stores.json_binary_indent = Some(3);
        indents.stores.yaml_indent = Some(5);
        let layout = |indents: Indents, format| indents.layout(format).ok();
        let json = |spaces| CanonicalLayout {
            json_indent: Some(spaces),
            ..CanonicalLayout::default()
        };
        assert_eq!(layout(indents, Format::Json), Some(json(2)));
        assert_eq!(layout(indents, Format::Binary), Some(json(3)));
        let yaml = layout(indents, Format::Yaml).map(|to| to.yaml_indent);
        assert_eq!(yaml, Some(5));
        assert_eq!(
            layout(indents, Format::Dotenv),
            Some(CanonicalLayout::default())
        );
        indents.flag = Some(7);
        assert_eq!(layout(indents, Format::Binary), Some(json(7)));
    }
}
