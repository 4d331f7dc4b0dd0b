//! A phone, a journal and media made of memory, for the tests of flows. They speak through the same ports as the real
//! ones and have seams where they can be made to fail.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use farmhand_actors::{
    domain::{
        AccountRef, AttemptId, AttemptSpec, Bounds, Checkpoint, DeviceInfo, Effect, EffectFinding, EffectGate,
        EffectIntent, EffectKey, EffectState, Epoch, Lease, MediaKind, Now, Package, Progress, Purpose, Reached,
        Screenshot, ScriptName, Serial, StepRecord, TaskId, Timestamp, UiNode, UiTree, Username,
    },
    ports::{
        AttemptJournal, Clock, DeviceDriver, DriverError, LaunchApp, MediaError, MediaPicker, MediaRequest, PickedFile,
        PickedMedia, Point, ShellCommand, ShellOutput, StoreError,
    },
};
use serde_json::Value;

/// What happens on the phone when something is done to it.
pub type Reaction = Box<dyn FnMut(&str, &mut UiTree) + Send>;

/// How the phone misbehaves when an event begins with a prefix.
pub enum Misbehaviour {
    /// The call fails; the event does not take place.
    Fails(DriverError),
    /// The event takes place, then the call fails.
    FailsAfterwards(DriverError),
    /// The call never returns.
    Hangs,
}

#[derive(Default)]
struct PhoneState {
    tree: UiTree,
    events: Vec<String>,
    typed: String,
    dark: bool,
    looks: u32,
}

/// A phone in memory. Looks at the screen are counted, everything else is an event.
pub struct FakePhone {
    serial: Serial,
    size: (u32, u32),
    state: Mutex<PhoneState>,
    reaction: Mutex<Option<Reaction>>,
    trouble: Mutex<VecDeque<(String, Misbehaviour)>>,
    installed: Vec<String>,
    keyboard_closed: bool,
    recorder_fails: bool,
    look_time: Duration,
    pictures: Mutex<VecDeque<Screenshot>>,
    /// What the next looks see, one each; then the last of them stays.
    coming: Mutex<VecDeque<UiTree>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl FakePhone {
    /// A phone of 540x960 that shows `tree`.
    pub fn new(tree: UiTree) -> Self {
        Self {
            serial: Serial::parse("fake-1").unwrap(),
            size: (540, 960),
            state: Mutex::new(PhoneState {
                tree,
                ..PhoneState::default()
            }),
            reaction: Mutex::default(),
            trouble: Mutex::default(),
            installed: Vec::new(),
            keyboard_closed: false,
            recorder_fails: false,
            look_time: Duration::ZERO,
            pictures: Mutex::default(),
            coming: Mutex::default(),
        }
    }

    /// Shows these pictures one after the other, the last one for ever; the screen has their size.
    pub fn with_pictures(mut self, pictures: &[Screenshot]) -> Self {
        self.size = pictures.first().map_or(self.size, |first| (first.width, first.height));
        self.pictures = Mutex::new(pictures.to_vec().into());
        self
    }

    /// Takes its time for every look at the screen.
    pub fn with_slow_looks(mut self, time: Duration) -> Self {
        self.look_time = time;
        self
    }

    /// Shows another screen at each look, and goes on showing the last one.
    pub fn showing_one_after_another(self, screens: impl IntoIterator<Item = UiTree>) -> Self {
        lock(&self.coming).extend(screens);
        self
    }

    /// Its recorder ends as soon as it has begun.
    pub fn without_recorder(mut self) -> Self {
        self.recorder_fails = true;
        self
    }

    /// Says that no keyboard is shown.
    pub fn with_keyboard_closed(mut self) -> Self {
        self.keyboard_closed = true;
        self
    }

    /// Only these apps can be launched.
    pub fn with_apps(mut self, apps: &[String]) -> Self {
        self.installed = apps.to_vec();
        self
    }

    /// Reacts to events.
    pub fn reacting(self, reaction: impl FnMut(&str, &mut UiTree) + Send + 'static) -> Self {
        *lock(&self.reaction) = Some(Box::new(reaction));
        self
    }

    /// Misbehaves once, at the first event (or `Look`) that begins with `prefix`.
    pub fn misbehaving(self, prefix: &str, how: Misbehaviour) -> Self {
        lock(&self.trouble).push_back((prefix.to_owned(), how));
        self
    }

    /// All events so far.
    pub fn events(&self) -> Vec<String> {
        lock(&self.state).events.clone()
    }

    /// Events that begin with `prefix`.
    pub fn count(&self, prefix: &str) -> usize {
        self.events().iter().filter(|event| event.starts_with(prefix)).count()
    }

    /// How often the screen was looked at.
    pub fn looks(&self) -> u32 {
        lock(&self.state).looks
    }

    /// What was typed and not erased.
    pub fn typed(&self) -> String {
        lock(&self.state).typed.clone()
    }

    async fn trouble(&self, event: &str) -> Result<Option<DriverError>, DriverError> {
        let found = {
            let mut trouble = lock(&self.trouble);
            let at = trouble
                .iter()
                .position(|(prefix, _)| event.starts_with(prefix.as_str()));
            at.and_then(|at| trouble.remove(at))
        };
        match found.map(|(_, how)| how) {
            None => Ok(None),
            Some(Misbehaviour::Fails(error)) => Err(error),
            Some(Misbehaviour::FailsAfterwards(error)) => Ok(Some(error)),
            Some(Misbehaviour::Hangs) => std::future::pending().await,
        }
    }

    async fn event(&self, event: String) -> Result<(), DriverError> {
        let afterwards = self.trouble(&event).await?;
        let mut state = lock(&self.state);
        state.events.push(event.clone());
        if let Some(reaction) = lock(&self.reaction).as_mut() {
            reaction(&event, &mut state.tree);
        }
        afterwards.map_or(Ok(()), Err)
    }

    fn shell_answer(&self, line: &str) -> String {
        let mut state = lock(&self.state);
        match line {
            "cmd uimode night yes" => state.dark = true,
            "cmd uimode night no" => state.dark = false,
            _ => {}
        }
        if line == "cmd uimode night" {
            return format!("Night mode: {}\n", if state.dark { "yes" } else { "no" });
        }
        if line == "dumpsys input_method" && self.keyboard_closed {
            return "  mShowRequested=false mInputShown=false\n".to_owned();
        }
        if line.starts_with("dumpsys package") {
            return "requested permissions:\n android.permission.CAMERA\n android.permission.POST_NOTIFICATIONS\n"
                .to_owned();
        }
        if line.starts_with("cat ") && self.recorder_fails {
            return "Display is 1080x2400\nno codec\n".to_owned();
        }
        if line.starts_with("sh -c screenrecord") {
            return "4711\n".to_owned();
        }
        String::new()
    }
}

#[async_trait]
impl DeviceDriver for FakePhone {
    fn serial(&self) -> &Serial {
        &self.serial
    }

    async fn take(&self) -> Result<(), DriverError> {
        Ok(())
    }

    async fn info(&self) -> Result<DeviceInfo, DriverError> {
        Ok(DeviceInfo::default())
    }

    async fn shell(&self, command: ShellCommand) -> Result<ShellOutput, DriverError> {
        let line = command.words.join(" ");
        self.event(format!("Shell({line})")).await?;
        let fails = self.recorder_fails && line.starts_with("kill -0 ");
        Ok(ShellOutput {
            stdout: self.shell_answer(&line).into_bytes(),
            code: u8::from(fails),
            ..ShellOutput::default()
        })
    }

    async fn hierarchy(&self) -> Result<UiTree, DriverError> {
        self.trouble("Look").await?;
        if !self.look_time.is_zero() {
            tokio::time::sleep(self.look_time).await;
        }
        let mut state = lock(&self.state);
        if let Some(next) = lock(&self.coming).pop_front() {
            state.tree = next;
        }
        state.looks += 1;
        Ok(state.tree.clone())
    }

    async fn hierarchy_text(&self) -> Result<String, DriverError> {
        self.trouble("HierarchyText").await?;
        Ok("<hierarchy/>".to_owned())
    }

    async fn screenshot(&self) -> Result<Screenshot, DriverError> {
        self.event("Screenshot".to_owned()).await?;
        let mut pictures = lock(&self.pictures);
        if pictures.len() > 1 {
            return Ok(pictures.pop_front().unwrap());
        }
        if let Some(last) = pictures.front() {
            return Ok(last.clone());
        }
        Ok(Screenshot {
            width: 2,
            height: 2,
            rgba: vec![7; 16].into(),
        })
    }

    async fn screen_size(&self) -> Result<(u32, u32), DriverError> {
        Ok(self.size)
    }

    async fn tap(&self, at: Point) -> Result<(), DriverError> {
        self.event(format!("Tap({},{})", at.x, at.y)).await
    }

    async fn swipe(&self, from: Point, to: Point, duration: Duration) -> Result<(), DriverError> {
        let ms = duration.as_millis();
        self.event(format!("Swipe({},{} {},{} {ms})", from.x, from.y, to.x, to.y))
            .await
    }

    async fn key(&self, code: u32) -> Result<(), DriverError> {
        self.event(format!("Key({code})")).await
    }

    async fn keys(&self, codes: &[u32]) -> Result<(), DriverError> {
        for code in codes {
            self.event(format!("Key({code})")).await?;
            if *code == 67 {
                lock(&self.state).typed.pop();
            }
        }
        Ok(())
    }

    async fn type_text(&self, text: &str) -> Result<(), DriverError> {
        self.event(format!("Type({text})")).await?;
        lock(&self.state).typed.push_str(text);
        Ok(())
    }

    async fn launch_app(&self, launch: LaunchApp) -> Result<(), DriverError> {
        if !self.installed.is_empty() && !self.installed.iter().any(|app| *app == launch.package.as_str()) {
            return Err(DriverError::AppMissing {
                serial: self.serial.clone(),
                package: launch.package,
            });
        }
        if launch.stop_first {
            self.event(format!("Stop({})", launch.package)).await?;
        }
        let extras: String = launch.extras.iter().map(|extra| format!(" {extra:?}")).collect();
        self.event(format!("Launch({}{extras})", launch.package)).await
    }

    async fn stop_app(&self, package: &Package) -> Result<(), DriverError> {
        self.event(format!("Stop({package})")).await
    }

    async fn kill_app(&self, package: &Package) -> Result<(), DriverError> {
        self.event(format!("Kill({package})")).await
    }

    async fn clear_app(&self, package: &Package) -> Result<(), DriverError> {
        self.event(format!("Clear({package})")).await
    }

    async fn has_app(&self, _package: &Package) -> Result<bool, DriverError> {
        Ok(true)
    }

    async fn foreground_app(&self) -> Result<Option<Package>, DriverError> {
        Ok(None)
    }

    async fn open_link(&self, link: &str, package: Option<&Package>) -> Result<(), DriverError> {
        let package = package.map_or("-", Package::as_str);
        self.event(format!("Link({link} {package})")).await
    }

    async fn set_permission(&self, package: &Package, permission: &str, granted: bool) -> Result<(), DriverError> {
        self.event(format!("Permission({package} {permission} {granted})"))
            .await
    }

    async fn push(&self, local: &Path, remote: &str) -> Result<(), DriverError> {
        self.event(format!("Push({} {remote})", local.display())).await
    }

    async fn pull(&self, remote: &str, _local: &Path) -> Result<(), DriverError> {
        self.event(format!("Pull({remote})")).await
    }

    async fn add_media(&self, _local: &Path, name: &str) -> Result<String, DriverError> {
        self.event(format!("AddMedia({name})")).await?;
        Ok(format!("/sdcard/DCIM/{name}"))
    }

    async fn install(&self, apk: &Path) -> Result<(), DriverError> {
        self.event(format!("Install({})", apk.display())).await
    }

    async fn log(&self, _lines: u32) -> Result<String, DriverError> {
        Ok(String::new())
    }
}

/// A view tree of nodes directly below a root that fills the screen.
pub fn screen(nodes: &[UiNode]) -> UiTree {
    let mut all = vec![UiNode {
        bounds: Some(bounds(0, 0, 540, 960)),
        children: (1..=nodes.len()).collect(),
        ..UiNode::default()
    }];
    all.extend(nodes.iter().cloned().map(|node| UiNode {
        parent: Some(0),
        ..node
    }));
    UiTree {
        nodes: all,
        rotation: 0,
    }
}

/// A node with a text, on the line that `row` counts from the top (100 pixels each).
pub fn label(text: &str, row: i32) -> UiNode {
    UiNode {
        text: text.to_owned(),
        bounds: Some(bounds(0, row * 100, 100, row * 100 + 100)),
        ..UiNode::default()
    }
}

/// A rectangle.
pub fn bounds(left: i32, top: i32, right: i32, bottom: i32) -> Bounds {
    Bounds {
        left,
        top,
        right,
        bottom,
    }
}

/// A journal in memory with a real gate.
#[derive(Default)]
pub struct FakeJournal {
    steps: Mutex<Vec<StepRecord>>,
    progress: Mutex<Vec<Progress>>,
    /// Content hashes of the flows that attempts told of.
    pub flows: Mutex<Vec<String>>,
    effects: Mutex<Vec<Effect>>,
    /// Answers this to every intent, if set.
    pub gate: Mutex<Option<EffectGate>>,
    /// Fails every intent.
    pub intend_fails: Mutex<bool>,
    /// Fails every finding.
    pub settle_fails: Mutex<bool>,
    /// Whether other tasks have done the same kind of thing.
    pub rival: Mutex<bool>,
    /// Since when another task's act on the phone is open.
    pub open_beside: Mutex<Option<Timestamp>>,
    /// Whether an account is bound to the phone.
    pub account_bound: Mutex<bool>,
    /// Whether another task has acted since the checkpoint.
    pub acted_since: Mutex<bool>,
    /// Whether somebody has asked to stop the task.
    pub stop_requested: Mutex<bool>,
    /// How far an earlier attempt has come.
    pub checkpoint: Mutex<Option<Reached>>,
}

impl FakeJournal {
    /// The newest version of every step, in order.
    pub fn steps(&self) -> Vec<StepRecord> {
        let mut steps: Vec<StepRecord> = Vec::new();
        for step in lock(&self.steps).iter() {
            match steps.iter_mut().find(|known| known.index == step.index) {
                Some(known) => *known = step.clone(),
                None => steps.push(step.clone()),
            }
        }
        steps
    }

    /// What was told of the progress.
    pub fn progress(&self) -> Vec<Progress> {
        lock(&self.progress).clone()
    }

    /// All effects.
    pub fn all_effects(&self) -> Vec<Effect> {
        lock(&self.effects).clone()
    }

    /// Where all effects are.
    pub fn states(&self) -> Vec<EffectState> {
        self.all_effects().iter().map(|effect| effect.state).collect()
    }

    /// Puts an effect there that an earlier attempt left.
    pub fn plant(&self, effect: Effect) {
        lock(&self.effects).push(effect);
    }
}

fn away() -> StoreError {
    StoreError::Away("pulled".to_owned())
}

#[async_trait]
impl AttemptJournal for FakeJournal {
    async fn has_rival(&self, _: &EffectKey, _: Option<&Username>, _: &Serial, _: bool) -> Result<bool, StoreError> {
        Ok(*self.rival.lock().unwrap())
    }

    async fn newest_open(&self, _: TaskId, _: &Serial, _: &str, _: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        Ok(*lock(&self.open_beside))
    }

    async fn has_account(&self, _: &Serial, app: &str) -> Result<bool, StoreError> {
        Ok(*lock(&self.account_bound) && app == "tiktok")
    }

    async fn acted_since_checkpoint(&self, _: TaskId, _: Option<&Username>, _: &Serial) -> Result<bool, StoreError> {
        Ok(*lock(&self.acted_since))
    }

    async fn is_stop_requested(&self, _: TaskId) -> Result<bool, StoreError> {
        Ok(*lock(&self.stop_requested))
    }

    fn record_step(&self, _attempt: AttemptId, step: StepRecord) {
        lock(&self.steps).push(step);
    }

    fn record_flow(&self, _attempt: AttemptId, content_hash: &str) {
        lock(&self.flows).push(content_hash.to_owned());
    }

    fn record_progress(&self, _task: TaskId, _attempt: AttemptId, progress: Progress) {
        lock(&self.progress).push(progress);
    }

    async fn intend(&self, intent: EffectIntent) -> Result<EffectGate, StoreError> {
        if *lock(&self.intend_fails) {
            return Err(away());
        }
        if let Some(gate) = lock(&self.gate).clone() {
            return Ok(gate);
        }
        let mut effects = lock(&self.effects);
        match effects.iter_mut().find(|effect| effect.key == intent.key) {
            Some(effect) if matches!(effect.state, EffectState::Refuted | EffectState::ResolvedNotDone) => {
                effect.state = EffectState::Intended;
            }
            Some(effect) => return Ok(EffectGate::Closed(effect.state)),
            None => effects.push(Effect {
                key: intent.key,
                state: EffectState::Intended,
                content: intent.content,
                baseline: intent.baseline,
                evidence: None,
                unknown_checks: 0,
            }),
        }
        Ok(EffectGate::Act)
    }

    async fn reach(&self, checkpoint: Checkpoint) -> Result<(), StoreError> {
        *lock(&self.checkpoint) = Some(checkpoint.reached);
        Ok(())
    }

    async fn reached(&self, _task: TaskId) -> Result<Option<Reached>, StoreError> {
        Ok(lock(&self.checkpoint).clone())
    }

    async fn settle(&self, finding: EffectFinding) -> Result<(), StoreError> {
        if *lock(&self.settle_fails) {
            return Err(away());
        }
        let mut effects = lock(&self.effects);
        let effect = effects.iter_mut().find(|effect| effect.key == finding.key).unwrap();
        effect.state = finding.state;
        effect.evidence = Some(finding.evidence);
        Ok(())
    }

    async fn effects(&self, _task: TaskId) -> Result<Vec<Effect>, StoreError> {
        Ok(self.all_effects())
    }
}

/// Media in memory.
#[derive(Default)]
pub struct FakeMedia {
    /// What is picked.
    pub picked: Mutex<Option<Result<PickedMedia, MediaError>>>,
    /// What was asked for.
    pub requests: Mutex<Vec<MediaRequest>>,
    /// What is warned of.
    pub warnings: Vec<String>,
}

/// Two files named `a.png` and `b.png`.
pub fn two_images() -> PickedMedia {
    let file = |name: &str| PickedFile {
        path: PathBuf::from(format!("/media/{name}")),
        name: name.to_owned(),
        kind: MediaKind::Image,
        sha256: format!("sha-{name}"),
        material: None,
    };
    PickedMedia {
        files: vec![file("a.png"), file("b.png")],
        caption: Some("{one|one}".to_owned()),
        sound_name: None,
        sound_url: None,
    }
}

#[async_trait]
impl MediaPicker for FakeMedia {
    async fn warnings(&self, request: &MediaRequest) -> Vec<String> {
        lock(&self.requests).push(request.clone());
        self.warnings.clone()
    }

    async fn pick(&self, request: &MediaRequest) -> Result<PickedMedia, MediaError> {
        lock(&self.requests).push(request.clone());
        lock(&self.picked).clone().unwrap_or_else(|| Ok(PickedMedia::default()))
    }
}

/// A clock that stands still.
pub struct StandingClock;

impl Clock for StandingClock {
    fn now(&self) -> Now {
        Now {
            wall: Timestamp::UNIX_EPOCH,
            mono: Duration::ZERO,
        }
    }
}

/// An attempt of `script` for the account `anna`.
pub fn spec(script: &str, config: Value, purpose: Purpose) -> AttemptSpec {
    AttemptSpec {
        task: TaskId(1),
        attempt: AttemptId(2),
        number: 1,
        purpose,
        script: ScriptName::parse(script).unwrap(),
        config: Arc::new(config),
        serial: Serial::parse("fake-1").unwrap(),
        account: Some(AccountRef {
            username: Username::parse("anna").unwrap(),
            app: "tiktok".to_owned(),
            package: Package::parse("com.example.app").unwrap(),
        }),
        app: None,
        lease: Lease {
            epoch: Epoch(1),
            token: "token".into(),
        },
        time_limit: Duration::from_secs(600),
        seed: 7,
        request_id: None,
        permit: Arc::default(),
    }
}
