//! The XML of a view hierarchy, as Android's dumper writes it (`AccessibilityNodeInfoDumper` over `KXmlSerializer`)
//! and as the uiautomator2 agent does.

use std::fmt::Write as _;

use crate::handset::View;

/// Whose XML it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dumper {
    /// `uiautomator dump`
    Platform,
    /// `uiautomator dump --compressed`: containers that mean nothing to accessibility are left out.
    Compressed,
    /// `dumpWindowHierarchy` of the agent (androidx.test.uiautomator), which adds attributes.
    Agent,
}

/// Deeper views than this are not printed: Android's own dumper overflows its stack long before.
const DEEPEST: usize = 2_000;

/// One line of XML.
pub(crate) fn to_xml(roots: &[View], dumper: Dumper) -> String {
    let mut xml = "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?><hierarchy rotation=\"0\"".to_owned();
    if roots.is_empty() {
        return xml + " />";
    }
    xml.push('>');
    // A stack of our own: a hierarchy may be thousands of views deep.
    let mut open: Vec<(std::vec::IntoIter<&View>, usize)> = vec![(important(roots, dumper).into_iter(), 0)];
    while let Some((siblings, index)) = open.last_mut() {
        let Some(view) = siblings.next() else {
            open.pop();
            xml.push_str(if open.is_empty() { "</hierarchy>" } else { "</node>" });
            continue;
        };
        write_attributes(&mut xml, view, *index, dumper);
        *index += 1;
        let children = important(&view.children, dumper);
        if children.is_empty() || open.len() >= DEEPEST {
            xml.push_str(" />");
        } else {
            xml.push('>');
            open.push((children.into_iter(), 0));
        }
    }
    xml
}

/// The views that are printed; what is left out hands its children up.
fn important(views: &[View], dumper: Dumper) -> Vec<&View> {
    if dumper != Dumper::Compressed {
        return views.iter().collect();
    }
    let mut found = Vec::new();
    let mut waiting: Vec<&View> = views.iter().rev().collect();
    while let Some(view) = waiting.pop() {
        let bare = view.text.is_empty()
            && view.description.is_empty()
            && view.id.is_empty()
            && !(view.clickable || view.focusable || view.checkable || view.scrollable || view.long_clickable);
        if bare && !view.children.is_empty() {
            waiting.extend(view.children.iter().rev());
        } else {
            found.push(view);
        }
    }
    found
}

fn write_attributes(xml: &mut String, view: &View, index: usize, dumper: Dumper) {
    xml.push_str("<node");
    if lacks_words(view) {
        attribute(xml, "NAF", "true");
    }
    attribute(xml, "index", &index.to_string());
    attribute(xml, "text", &view.text);
    attribute(xml, "resource-id", &view.id);
    attribute(xml, "class", &view.class);
    attribute(xml, "package", &view.package);
    attribute(xml, "content-desc", &view.description);
    let states = [
        ("checkable", view.checkable),
        ("checked", view.checked),
        ("clickable", view.clickable),
        ("enabled", view.enabled),
        ("focusable", view.focusable),
        ("focused", view.focused),
        ("scrollable", view.scrollable),
        ("long-clickable", view.long_clickable),
        ("password", view.password),
        ("selected", view.selected),
    ];
    for (name, state) in states {
        attribute(xml, name, if state { "true" } else { "false" });
    }
    if dumper == Dumper::Agent {
        attribute(xml, "visible-to-user", "true");
    }
    let [left, top, right, bottom] = view.bounds;
    attribute(xml, "bounds", &format!("[{left},{top}][{right},{bottom}]"));
    if dumper == Dumper::Agent {
        attribute(xml, "drawing-order", &(index + 1).to_string());
        attribute(xml, "hint", &view.hint);
        attribute(xml, "display-id", "0");
    }
}

/// "Not accessibility friendly": it can be tapped, but neither it nor anything in it has words.
fn lacks_words(view: &View) -> bool {
    if !(view.clickable && view.enabled) || view.class.ends_with("Layout") || view.class.ends_with("ListView") {
        return false;
    }
    let mut waiting = vec![view];
    while let Some(view) = waiting.pop() {
        if !view.text.is_empty() || !view.description.is_empty() {
            return false;
        }
        waiting.extend(&view.children);
    }
    true
}

/// `KXmlSerializer.attribute`: double quotes, unless the value has one.
fn attribute(xml: &mut String, name: &str, value: &str) {
    let quote = if value.contains('"') { '\'' } else { '"' };
    xml.push(' ');
    xml.push_str(name);
    xml.push('=');
    xml.push(quote);
    for character in value.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '\'' if quote == '\'' => xml.push_str("&apos;"),
            '\n' | '\r' | '\t' => numbered(xml, character),
            // Characters that XML 1.0 cannot hold become dots (`stripInvalidXMLChars`).
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' => xml.push('.'),
            '\u{fdd0}'..='\u{fddf}' | '\u{fffe}' | '\u{ffff}' => xml.push('.'),
            // The serializer writes what is beyond 16 bits as a number, which is why emoji look so.
            '\u{10000}'.. => numbered(xml, character),
            _ => xml.push(character),
        }
    }
    xml.push(quote);
}

fn numbered(xml: &mut String, character: char) {
    // Writing into a String cannot fail.
    let _ = write!(xml, "&#{};", u32::from(character));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(text: &str) -> View {
        View {
            text: text.to_owned(),
            enabled: true,
            bounds: [0, 1, 2, 3],
            ..View::default()
        }
    }

    #[test]
    fn attributes_stand_in_the_order_of_the_platform() {
        let leaf = View {
            id: "com.x:id/a".into(),
            class: "android.widget.Button".into(),
            package: "com.x".into(),
            description: "d".into(),
            clickable: true,
            ..view("Go")
        };

        assert_eq!(
            to_xml(
                &[View {
                    children: vec![leaf.clone(), leaf],
                    ..view("")
                }],
                Dumper::Platform
            ),
            "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?><hierarchy rotation=\"0\"><node index=\"0\" \
             text=\"\" resource-id=\"\" class=\"\" package=\"\" content-desc=\"\" checkable=\"false\" \
             checked=\"false\" clickable=\"false\" enabled=\"true\" focusable=\"false\" focused=\"false\" \
             scrollable=\"false\" long-clickable=\"false\" password=\"false\" selected=\"false\" \
             bounds=\"[0,1][2,3]\"><node index=\"0\" text=\"Go\" resource-id=\"com.x:id/a\" \
             class=\"android.widget.Button\" package=\"com.x\" content-desc=\"d\" checkable=\"false\" \
             checked=\"false\" clickable=\"true\" enabled=\"true\" focusable=\"false\" focused=\"false\" \
             scrollable=\"false\" long-clickable=\"false\" password=\"false\" selected=\"false\" \
             bounds=\"[0,1][2,3]\" /><node index=\"1\" text=\"Go\" resource-id=\"com.x:id/a\" \
             class=\"android.widget.Button\" package=\"com.x\" content-desc=\"d\" checkable=\"false\" \
             checked=\"false\" clickable=\"true\" enabled=\"true\" focusable=\"false\" focused=\"false\" \
             scrollable=\"false\" long-clickable=\"false\" password=\"false\" selected=\"false\" \
             bounds=\"[0,1][2,3]\" /></node></hierarchy>"
        );
    }

    #[test]
    fn texts_are_escaped_as_the_platform_escapes_them() {
        let cases = [
            ("a<b>&c", "text=\"a&lt;b&gt;&amp;c\""),
            ("it's", "text=\"it's\""),
            ("say \"it's\"", "text='say \"it&apos;s\"'"),
            ("one\ntwo\tthree\r", "text=\"one&#10;two&#9;three&#13;\""),
            ("😀 żółw مرحبا", "text=\"&#128512; żółw مرحبا\""),
            ("bad\u{1}\u{b}\u{fffe}", "text=\"bad...\""),
        ];
        for (text, expected) in cases {
            let xml = to_xml(&[view(text)], Dumper::Platform);
            assert!(xml.contains(expected), "{xml}");
        }
    }

    #[test]
    fn a_button_without_words_is_marked() {
        let bare = View {
            clickable: true,
            class: "android.widget.ImageView".into(),
            ..view("")
        };

        assert!(to_xml(&[bare], Dumper::Platform).contains("<node NAF=\"true\" index=\"0\""));
    }

    #[test]
    fn the_agent_adds_its_attributes() {
        let xml = to_xml(
            &[View {
                hint: "Search".into(),
                ..view("a")
            }],
            Dumper::Agent,
        );

        assert!(xml.contains("selected=\"false\" visible-to-user=\"true\" bounds=\"[0,1][2,3]\" drawing-order=\"1\" "));
        assert!(xml.contains("hint=\"Search\" display-id=\"0\" />"));
    }

    #[test]
    fn a_hierarchy_of_any_depth_is_written_without_overflow() {
        let mut deep = view("bottom");
        for _ in 0..1_500 {
            deep = View {
                children: vec![deep],
                ..view("")
            };
        }

        let xml = to_xml(&[deep], Dumper::Platform);

        assert!(xml.contains("bottom"));
        assert_eq!(xml.matches("</node>").count(), 1_500);
    }

    #[test]
    fn an_empty_hierarchy_is_still_a_document() {
        assert!(to_xml(&[], Dumper::Platform).ends_with("<hierarchy rotation=\"0\" />"));
    }
}
