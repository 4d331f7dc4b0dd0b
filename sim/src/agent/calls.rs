//! The methods of the agent (`AutomatorService.java`), each one thing that it does to the phone.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Agent,
    objects::{Object, Objects},
    rpc::{Params, RpcError},
    selector::Selector,
};
use crate::{
    commands::{Dumper, code_of, jpeg, png, to_xml},
    device::Frame,
    handset::{Dump, View},
};

/// How often a wait looks at the screen.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The longest that a wait lasts, whatever the client says.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// A swipe's step lasts this long, milliseconds.
const STEP_MS: u64 = 5;
/// The longest gesture, milliseconds.
const LONGEST_GESTURE_MS: u64 = 60_000;
/// How long a finger rests to be a long press, milliseconds.
const LONG_PRESS_MS: u64 = 600;
/// Swipes that `scrollTo` and its kin make at most.
const MOST_SCROLLS: usize = 30;

const ACTION_UP: u64 = 1;

/// Carries out a call.
pub(super) async fn run(agent: &Agent, method: &str, params: Params<'_>) -> Result<Value, RpcError> {
    let handset = &agent.handset;
    match method {
        "deviceInfo" => Ok(device_info(agent)),
        "waitForExists" | "waitUntilGone" => wait(agent, params, method == "waitForExists").await,
        "exist" => Ok(json!(matching(agent, params)? > 0)),
        "count" => Ok(json!(matching(agent, params)?)),
        "objInfo" => with_object(agent, params, |object| Ok(object.info())),
        "getText" => with_object(agent, params, |object| Ok(json!(object.view.text))),
        "objInfoOfAllInstances" => {
            let views = views(agent)?;
            let objects = Objects::new(&views);
            let found = Selector::parse(params.get(0)?)?.all(&objects);
            Ok(found.iter().map(Object::info).collect())
        }
        "click" | "longClick" => click(agent, params, method == "longClick").await,
        "swipe" | "drag" if params.get(0)?.is_number() => {
            let (from, to) = (params.point(0)?, params.point(2)?);
            gesture(agent, from, to, params.count(4).unwrap_or(55) * STEP_MS).await
        }
        "swipe" => swipe_object(agent, params).await,
        "swipePoints" => swipe_points(agent, params).await,
        "dragTo" => drag_to(agent, params).await,
        "injectInputEvent" => {
            if params.count(0)? == ACTION_UP {
                let (x, y) = params.point(1)?;
                handset.tap(x, y);
            }
            Ok(json!(true))
        }
        "scrollForward" | "scrollBackward" | "flingForward" | "flingBackward" => {
            scroll(agent, params, method.ends_with("Forward")).await
        }
        "scrollToBeginning" | "flingToBeginning" | "scrollToEnd" | "flingToEnd" => {
            scroll_to_edge(agent, params, method.ends_with("End")).await
        }
        "scrollTo" => scroll_to(agent, params).await,
        "setText" | "clearTextField" => set_text(agent, params, method == "setText"),
        "clearInputText" => Ok(json!(handset.clear_text())),
        "dumpWindowHierarchy" => hierarchy(agent, params),
        "takeScreenshot" => Ok(jpeg_screenshot(agent, params).await),
        "setClipboard" => {
            handset.set_clipboard(params.text(1)?);
            Ok(Value::Null)
        }
        "getClipboard" => Ok(json!(handset.clipboard())),
        "pasteClipboard" => Ok(json!(handset.type_text(&handset.clipboard()))),
        "pressKey" => Ok(json!(press(agent, params.text(0)?))),
        "pressKeyCode" => Ok(json!(press(agent, &params.count(0)?.to_string()))),
        "wakeUp" => Ok(json!(set_awake(agent, true))),
        "sleep" => Ok(json!(set_awake(agent, false))),
        "isScreenOn" => Ok(json!(handset.power().awake)),
        "getLastToast" | "getLastTraversedText" => Ok(Value::Null),
        "clearLastToast"
        | "clearLastTraversedText"
        | "setOrientation"
        | "freezeRotation"
        | "makeToast"
        | "setConfigurator"
        | "waitForIdle" => Ok(Value::Null),
        "openNotification" | "openQuickSettings" => Ok(json!(true)),
        _ => Err(RpcError::UnknownMethod),
    }
}

fn device_info(agent: &Agent) -> Value {
    let handset = &agent.handset;
    let (width, height) = handset.screen_size();
    let dips = |pixels: u32| pixels * 160 / handset.density().max(1);
    json!({
        "currentPackageName": handset.focus().map(|(package, _)| package),
        "displayWidth": width,
        "displayHeight": height,
        "displayRotation": 0,
        "displaySizeDpX": dips(width),
        "displaySizeDpY": dips(height),
        "productName": handset.property("ro.product.name"),
        "sdkInt": handset.property("ro.build.version.sdk").and_then(|sdk| sdk.parse::<u32>().ok()),
        "screenOn": handset.power().awake,
        "naturalOrientation": true,
    })
}

fn views(agent: &Agent) -> Result<Vec<View>, RpcError> {
    match agent.handset.dump() {
        Dump::Views(views) => Ok(views),
        Dump::NotIdle => Err(RpcError::NotIdle),
        Dump::NoRoot | Dump::Garbage(_) => Ok(Vec::new()),
    }
}

fn matching(agent: &Agent, params: Params<'_>) -> Result<usize, RpcError> {
    let selector = Selector::parse(params.get(0)?)?;
    let views = views(agent)?;
    let objects = Objects::new(&views);
    // With an instance named, the question is whether that one is there.
    Ok(if selector.find(&objects).is_ok() {
        selector.all(&objects).len()
    } else {
        0
    })
}

fn with_object<T>(
    agent: &Agent,
    params: Params<'_>,
    then: impl FnOnce(Object<'_>) -> Result<T, RpcError>,
) -> Result<T, RpcError> {
    let selector = Selector::parse(params.get(0)?)?;
    let views = views(agent)?;
    then(selector.find(&Objects::new(&views))?)
}

async fn wait(agent: &Agent, params: Params<'_>, wanted: bool) -> Result<Value, RpcError> {
    let deadline = Instant::now() + Duration::from_millis(params.count(1)?).min(LONGEST_WAIT);
    loop {
        if (matching(agent, params)? > 0) == wanted {
            return Ok(json!(true));
        }
        if Instant::now() >= deadline {
            return Ok(json!(false));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// `click(x, y)`, `click(x, y, milliseconds)` or `click(selector)`.
async fn click(agent: &Agent, params: Params<'_>, long: bool) -> Result<Value, RpcError> {
    let by_point = params.get(0)?.is_number();
    let point = if by_point {
        params.point(0)?
    } else {
        with_object(agent, params, |object| Ok(object.center()))?
    };
    let duration_ms = match (long, by_point && params.len() > 2) {
        (_, true) => params.count(2)?,
        (true, false) => LONG_PRESS_MS,
        (false, false) => 0,
    };
    if duration_ms == 0 {
        agent.handset.tap(point.0, point.1);
        return Ok(json!(true));
    }
    gesture(agent, point, point, duration_ms).await
}

async fn gesture(agent: &Agent, from: (i32, i32), to: (i32, i32), duration_ms: u64) -> Result<Value, RpcError> {
    tokio::time::sleep(Duration::from_millis(duration_ms.min(LONGEST_GESTURE_MS))).await;
    agent.handset.swipe(from, to, duration_ms);
    Ok(json!(true))
}

/// `swipe(selector, direction, percent, steps)`
async fn swipe_object(agent: &Agent, params: Params<'_>) -> Result<Value, RpcError> {
    let ([left, top, right, bottom], center) =
        with_object(agent, params, |object| Ok((object.view.bounds, object.center())))?;
    let to = match params.text(1)?.chars().next().map(|c| c.to_ascii_lowercase()) {
        Some('l') => (left, center.1),
        Some('r') => (right, center.1),
        Some('u') => (center.0, top),
        Some('d') => (center.0, bottom),
        _ => return Err(RpcError::BadParameters),
    };
    gesture(agent, center, to, params.count(3).unwrap_or(55) * STEP_MS).await
}

/// `swipePoints([x0, y0, x1, y1 …], steps)`: the line between the ends is what the phone sees.
async fn swipe_points(agent: &Agent, params: Params<'_>) -> Result<Value, RpcError> {
    let numbers = params.get(0)?.as_array().ok_or(RpcError::BadParameters)?;
    let points = Params::from(numbers);
    let last = numbers.len().checked_sub(2).ok_or(RpcError::BadParameters)?;
    gesture(agent, points.point(0)?, points.point(last)?, params.count(1)? * STEP_MS).await
}

/// `dragTo(selector, x, y, steps)` or `dragTo(selector, selector, steps)`
async fn drag_to(agent: &Agent, params: Params<'_>) -> Result<Value, RpcError> {
    let from = with_object(agent, params, |object| Ok(object.center()))?;
    if params.get(1)?.is_number() {
        return gesture(agent, from, params.point(1)?, params.count(3)? * STEP_MS).await;
    }
    let target = Selector::parse(params.get(1)?)?;
    let to = target.find(&Objects::new(&views(agent)?))?.center();
    gesture(agent, from, to, params.count(2)? * STEP_MS).await
}

/// Swipes within a list; whether its content changed.
async fn scroll_once(agent: &Agent, selector: &Selector, vertical: bool, forward: bool) -> Result<bool, RpcError> {
    let before = views(agent)?;
    let object = Objects::new(&before);
    let object = selector.find(&object)?;
    let ([left, top, right, bottom], center) = (object.view.bounds, object.center());
    let (near, far) = if vertical {
        (
            (center.0, top + (bottom - top) / 5),
            (center.0, bottom - (bottom - top) / 5),
        )
    } else {
        (
            (left + (right - left) / 5, center.1),
            (right - (right - left) / 5, center.1),
        )
    };
    let (from, to) = if forward { (far, near) } else { (near, far) };
    gesture(agent, from, to, 20 * STEP_MS).await?;
    Ok(views(agent)? != before)
}

async fn scroll(agent: &Agent, params: Params<'_>, forward: bool) -> Result<Value, RpcError> {
    let selector = Selector::parse(params.get(0)?)?;
    let vertical = params.get(1)?.as_bool().unwrap_or(true);
    Ok(json!(scroll_once(agent, &selector, vertical, forward).await?))
}

async fn scroll_to_edge(agent: &Agent, params: Params<'_>, forward: bool) -> Result<Value, RpcError> {
    let selector = Selector::parse(params.get(0)?)?;
    let vertical = params.get(1)?.as_bool().unwrap_or(true);
    for _ in 0..MOST_SCROLLS {
        if !scroll_once(agent, &selector, vertical, forward).await? {
            return Ok(json!(true));
        }
    }
    Ok(json!(false))
}

/// `scrollTo(selector, child, vertical)`
async fn scroll_to(agent: &Agent, params: Params<'_>) -> Result<Value, RpcError> {
    let (selector, child) = (Selector::parse(params.get(0)?)?, Selector::parse(params.get(1)?)?);
    let vertical = params.get(2).ok().and_then(Value::as_bool).unwrap_or(true);
    for _ in 0..MOST_SCROLLS {
        if child.find(&Objects::new(&views(agent)?)).is_ok() {
            return Ok(json!(true));
        }
        if !scroll_once(agent, &selector, vertical, true).await? {
            break;
        }
    }
    Ok(json!(child.find(&Objects::new(&views(agent)?)).is_ok()))
}

/// Puts a text in place of a field's own. The field gets the focus by a tap, as nothing else is offered.
fn set_text(agent: &Agent, params: Params<'_>, types: bool) -> Result<Value, RpcError> {
    let text = if types { params.text(1)? } else { "" };
    let (center, focused) = with_object(agent, params, |object| Ok((object.center(), object.view.focused)))?;
    if !focused {
        agent.handset.tap(center.0, center.1);
    }
    let cleared = agent.handset.clear_text();
    Ok(json!(cleared && (text.is_empty() || agent.handset.type_text(text))))
}

fn hierarchy(agent: &Agent, params: Params<'_>) -> Result<Value, RpcError> {
    if let Dump::Garbage(bytes) = agent.handset.dump() {
        return Ok(json!(String::from_utf8_lossy(&bytes)));
    }
    let compressed = params.get(0).ok().and_then(Value::as_bool).unwrap_or(false);
    let dumper = if compressed { Dumper::Compressed } else { Dumper::Agent };
    Ok(json!(to_xml(&views(agent)?, dumper)))
}

/// A key by the agent's short names (`home`, `back`, `recent` …), Android's, or its number.
fn press(agent: &Agent, name: &str) -> bool {
    let code = match name {
        "recent" => Some(187),
        "delete" => Some(67),
        "center" => Some(23),
        "left" | "right" | "up" | "down" => code_of(&format!("DPAD_{name}")),
        _ => code_of(name),
    };
    code.map(|code| agent.handset.key(code)).is_some()
}

fn set_awake(agent: &Agent, awake: bool) -> bool {
    let changes = agent.handset.power().awake != awake;
    if changes {
        agent.handset.key(if awake { 224 } else { 223 });
    }
    changes
}

/// `takeScreenshot(scale, quality)`: a JPEG in base64, null when it could not be taken.
async fn jpeg_screenshot(agent: &Agent, params: Params<'_>) -> Value {
    let scale = params.number(0).unwrap_or(1.0);
    let quality = params
        .count(1)
        .ok()
        .and_then(|quality| u8::try_from(quality).ok())
        .unwrap_or(80);
    let picture = screenshot(agent, scale, move |frame| jpeg(frame, quality)).await;
    picture.map_or(Value::Null, |picture| json!(STANDARD.encode(picture)))
}

/// `GET /screenshot/0`
pub(super) async fn png_screenshot(agent: &Agent, scale: f64) -> Option<Vec<u8>> {
    screenshot(agent, scale, png).await
}

/// Drawing and packing take milliseconds of CPU, so they leave the thread that serves all phones.
async fn screenshot(
    agent: &Agent,
    scale: f64,
    pack: impl FnOnce(&Frame) -> Option<Vec<u8>> + Send + 'static,
) -> Option<Vec<u8>> {
    let handset = agent.handset.clone();
    tokio::task::spawn_blocking(move || pack(&scaled(handset.frame(), scale)))
        .await
        .ok()?
}

/// The frame made smaller by picking pixels; sizes that make no sense leave it as it is.
fn scaled(frame: Frame, scale: f64) -> Frame {
    if !(0.01..1.0).contains(&scale) {
        return frame;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` ends at the nearest u32"
    )]
    let size = |pixels: u32| ((f64::from(pixels) * scale) as u32).max(1);
    let (width, height) = (size(frame.width), size(frame.height));
    let mut rgba = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (from_x, from_y) = (x * frame.width / width, y * frame.height / height);
            let at = usize::try_from((from_y * frame.width + from_x) * 4).unwrap_or_default();
            rgba.extend(frame.rgba.get(at..at + 4).unwrap_or(&[0; 4]));
        }
    }
    Frame { width, height, rgba }
}
