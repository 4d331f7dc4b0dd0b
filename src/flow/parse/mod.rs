//! Flow files to checked flows: every fault of a file at once, each with its place.

mod commands;
mod config;
mod extension;
mod fields;
mod image;
pub mod keys;
mod params;
mod platform;
mod script_text;
mod script_use;
mod selector;
pub mod sources;
mod steps;
pub mod suggest;
#[cfg(test)]
mod tests;
pub mod yaml;

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
    sync::Arc,
};

use sha2::{Digest, Sha256};

pub use self::{commands::parse_spot, fields::parse_whole, platform::Platform};
use self::{
    fields::Fields,
    sources::{FileDigest, Sources},
    yaml::{Node, NodeValue},
};
use super::{
    expr::syntax::Syntax,
    model::{Config, Flow, Text, expanded_steps},
    policy,
    problem::{Place, Problem, Problems},
};

/// Deepest chain of includes; real ones have at most five.
const MAX_INCLUDES: usize = 32;
/// Most steps of a flow with every file put in the places where it is included. An attempt ends after a tenth of them; a
/// flow with more is one whose files include one another again and again.
const MAX_EXPANDED_STEPS: u64 = 100_000;

/// A flow with all that it includes.
#[derive(Debug)]
pub struct LoadedFlow {
    /// The flow.
    pub flow: Arc<Flow>,
    /// SHA-256 over the paths and bytes of all its files, hex.
    pub content_hash: String,
    /// Paths of all its files.
    pub files: Vec<String>,
}

/// Reads the flow at `path` with all that it includes, and checks it.
///
/// # Errors
/// Every fault that was found, in the order of their places.
pub fn load(sources: &dyn Sources, path: &str) -> Result<LoadedFlow, Vec<Problem>> {
    load_for(Platform::Android, sources, path)
}

/// As [`load`], for the screens of a platform.
///
/// # Errors
/// As [`load`].
pub fn load_for(platform: Platform, sources: &dyn Sources, path: &str) -> Result<LoadedFlow, Vec<Problem>> {
    let mut parser = FlowParser::new(sources);
    let flow = parser.file(path, None);
    if let Some(flow) = &flow {
        let policy = &flow.config.extension.policy;
        policy::check(flow, policy, &mut parser.problems);
        parser.check_http(policy);
        // A label may stand on a step that could not be read.
        if !parser.incomplete {
            commands::check_commit(flow, &mut parser.problems);
            commands::check_checkpoint(flow, &mut parser.problems);
        }
        check_size(flow, &mut parser.problems);
    }
    parser.check_platform(platform);
    match flow {
        Some(flow) if parser.problems.is_empty() => Ok(LoadedFlow {
            flow,
            content_hash: content_hash(&parser.files),
            files: parser.files.into_keys().collect(),
        }),
        _ => Err(parser.problems.into_sorted()),
    }
}

/// Whether a file named `config.yaml` holds upstream's settings of a folder of flows: one map, and no flow's app.
#[must_use]
pub fn is_workspace_config(bytes: &[u8]) -> bool {
    let documents = yaml::read_documents(&"config.yaml".into(), bytes, &mut Problems::default());
    match documents.as_deref() {
        Some([]) => true,
        Some([only]) => match &only.value {
            NodeValue::Map(entries) => !entries
                .iter()
                .any(|entry| matches!(entry.key.as_str(), "appId" | "url")),
            NodeValue::Null => true,
            NodeValue::List(_) | NodeValue::Scalar { .. } => false,
        },
        _ => false,
    }
}

fn check_size(flow: &Flow, problems: &mut Problems) {
    let count = expanded_steps(flow);
    if count > MAX_EXPANDED_STEPS {
        let start = Place {
            file: flow.file.clone(),
            line: 1,
            column: 1,
        };
        let message = format!(
            "with every file in the places where it is included, the flow has {count} steps; at most \
             {MAX_EXPANDED_STEPS} are taken: include files less often, or use `repeat`"
        );
        problems.add(&start, "Flow Too Large", message);
    }
}

fn content_hash(files: &BTreeMap<String, FileDigest>) -> String {
    let mut hasher = Sha256::new();
    for (path, digest) in files {
        hasher.update(path.as_bytes());
        hasher.update([0]);
        hasher.update(digest);
    }
    hasher.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}

/// Parses a flow and what it includes.
pub(crate) struct FlowParser<'s> {
    sources: &'s dyn Sources,
    problems: Problems,
    /// The files that are being read, outermost first.
    reading: Vec<String>,
    /// Flows that were read before.
    flows: HashMap<String, Option<Arc<Flow>>>,
    /// SHA-256 of all files that the flow needs.
    files: BTreeMap<String, FileDigest>,
    /// Steps are missing that could not be read.
    incomplete: bool,
    /// Looks whether scripts are JavaScript.
    syntax: Syntax,
    /// Where scripts make requests.
    http_uses: Vec<Place>,
    /// The page of the file that is being read, if it is for browsers.
    page: Option<Text>,
    /// What only works in a browser.
    web_uses: Vec<Problem>,
}

impl<'s> FlowParser<'s> {
    fn new(sources: &'s dyn Sources) -> Self {
        Self {
            sources,
            problems: Problems::default(),
            reading: Vec::new(),
            flows: HashMap::new(),
            files: BTreeMap::new(),
            incomplete: false,
            syntax: Syntax::default(),
            http_uses: Vec::new(),
            page: None,
            web_uses: Vec::new(),
        }
    }

    /// Reads a file that another one includes at `place`.
    fn include(&mut self, reference: &str, place: &Place) -> Option<Arc<Flow>> {
        if !self.is_fixed_path(reference, place) {
            return None;
        }
        match sources::resolve(&place.file, reference) {
            Ok(path) => self.file(&path, Some(place)),
            Err(message) => {
                self.problems.add(place, "Invalid File Path", message);
                None
            }
        }
    }

    /// Whether a path is known before the flow runs; noted if it is not.
    fn is_fixed_path(&mut self, reference: &str, place: &Place) -> bool {
        let fixed = !reference.contains("${");
        if !fixed {
            let message =
                format!("`{reference}`: expressions do not work in file names, since files are read beforehand");
            self.problems.add(place, "Invalid File Path", message);
        }
        fixed
    }

    /// Reads a text file (a script) that a flow refers to at `place`.
    fn text_file(&mut self, reference: &str, place: &Place) -> Option<(Arc<str>, Arc<str>)> {
        if !self.is_fixed_path(reference, place) {
            return None;
        }
        let read = sources::resolve(&place.file, reference).and_then(|path| {
            let bytes = self.sources.read(&path)?;
            if bytes.len() > yaml::MAX_BYTES {
                let (length, most) = (bytes.len(), yaml::MAX_BYTES);
                return Err(format!("`{path}` has {length} bytes, a script may have {most}"));
            }
            self.files.insert(path.clone(), Sha256::digest(&bytes).into());
            let text = String::from_utf8(bytes).map_err(|_| format!("`{path}` is not UTF-8 text"))?;
            Ok((path.into(), text.into()))
        });
        read.map_err(|message| self.problems.add(place, "Invalid File Path", message))
            .ok()
    }

    fn file(&mut self, path: &str, place: Option<&Place>) -> Option<Arc<Flow>> {
        let start = Place {
            file: path.into(),
            line: 1,
            column: 1,
        };
        let place = place.unwrap_or(&start);
        if self.reading.iter().any(|open| open == path) {
            let chain = self.reading.join(" -> ");
            let message = format!("{chain} -> {path}: a flow may not include itself");
            self.problems.add(place, "Include Cycle", message);
            return None;
        }
        if self.reading.len() >= MAX_INCLUDES {
            let message = format!("includes are nested deeper than {MAX_INCLUDES} files");
            self.problems.add(place, "Include Cycle", message);
            return None;
        }
        if let Some(known) = self.flows.get(path) {
            return known.clone();
        }
        let flow = match self.sources.read(path) {
            Ok(bytes) => {
                self.reading.push(path.to_owned());
                let page = self.page.take();
                let flow = self.flow(&start.file, &bytes).map(Arc::new);
                self.page = page;
                self.reading.pop();
                self.files.insert(path.to_owned(), Sha256::digest(&bytes).into());
                flow
            }
            Err(message) => {
                self.problems.add(place, "Invalid File Path", message);
                None
            }
        };
        self.flows.insert(path.to_owned(), flow.clone());
        flow
    }

    fn flow(&mut self, file: &Arc<str>, bytes: &[u8]) -> Option<Flow> {
        let documents = yaml::read_documents(file, bytes, &mut self.problems)?;
        if let Some((config, commands)) = documents.split_first() {
            self.note_config_scripts(config);
            commands.iter().for_each(|document| self.note_scripts(document));
        }
        let start = Place {
            file: file.clone(),
            line: 1,
            column: 1,
        };
        let (config, commands) = self.two_documents(&documents, &start)?;
        let config = self.config(config);
        let NodeValue::List(items) = &commands.value else {
            let message = "flow files must have a list of commands after the config section, e.g. `- launchApp`";
            self.problems.add(&commands.place, "Commands Section Required", message);
            return None;
        };
        let steps = self.steps(items);
        Some(Flow {
            file: file.clone(),
            config: config?,
            steps,
        })
    }

    fn two_documents<'d>(
        &mut self,
        documents: &'d [Arc<Node>],
        start: &Place,
    ) -> Option<(&'d Arc<Node>, &'d Arc<Node>)> {
        match documents {
            [config, commands] => Some((config, commands)),
            [only] if matches!(only.value, NodeValue::List(_)) => {
                let message =
                    "flow files must start with a config section: `appId: com.example.app`, then a line `---`";
                self.problems.add(&only.place, "Config Section Required", message);
                None
            }
            [] => {
                let message = "the file is empty; flow files start with a config section: `appId: com.example.app`";
                self.problems.add(start, "Config Section Required", message);
                None
            }
            [only] => {
                let message =
                    "flow files must have a list of commands after the config section: `---`, then `- launchApp`";
                self.problems.add(&only.place, "Commands Section Required", message);
                None
            }
            [_, _, third, ..] => {
                let message = "a flow has two documents: the config section and the commands; here begins a third one";
                self.problems.add(&third.place, "Parsing Failed", message);
                None
            }
        }
    }

    fn config(&mut self, node: &Node) -> Option<Config> {
        let fields = Fields::of(node, "config section", &mut self.problems)?;
        Some(self.config_section(fields))
    }
}
