//! Programs that tell of the phone, and small ones that need no file.

use std::time::Duration;

use super::{Ending, NAMES, Process};

/// Room of shared storage as `df` shows it, kilobytes.
const STORAGE_KB: u64 = 112_000_000;
/// Numbers that one `seq` prints at most.
const MAX_SEQUENCE: i64 = 1_000_000;
/// The longest sleep.
const MAX_SLEEP: Duration = Duration::from_secs(86_400);

/// Groups of the user `shell`.
const GROUPS: &str = "2000(shell),1004(input),1007(log),1011(adb),1015(sdcard_rw),1028(sdcard_r),3001(net_bt_admin),\
                      3002(net_bt),3003(inet),3006(net_bw_stats),3009(readproc),3011(uhid)";

/// Android's own programs that `which` should find.
const ANDROID_PROGRAMS: [&str; 23] = [
    "am",
    "app_process",
    "cmd",
    "content",
    "dumpsys",
    "getprop",
    "ime",
    "input",
    "ip",
    "logcat",
    "monkey",
    "pidof",
    "pm",
    "ps",
    "reboot",
    "screencap",
    "screenrecord",
    "service",
    "setprop",
    "settings",
    "svc",
    "uiautomator",
    "wm",
];

pub(super) async fn id(p: &mut Process<'_>) -> Ending {
    let options = match p.options("unGgrZ", "") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let name = options.has('n');
    let line = match (options.has('u') || options.has('g'), options.has('G')) {
        (true, _) if name => "shell".to_owned(),
        (true, _) => "2000".to_owned(),
        (false, true) => "2000 1004 1007 1011 1015 1028 3001 3002 3003 3006 3009 3011".to_owned(),
        _ if options.has('Z') => "u:r:shell:s0".to_owned(),
        _ => format!("uid=2000(shell) gid=2000(shell) groups={GROUPS} context=u:r:shell:s0"),
    };
    p.out(format!("{line}\n")).await.map(|()| 0)
}

pub(super) async fn uname(p: &mut Process<'_>) -> Ending {
    let options = match p.options("asnrvmo", "") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let parts = [
        ('s', "Linux"),
        ('n', "localhost"),
        ('r', "5.10.198-android13-4"),
        ('v', "#1 SMP PREEMPT Thu Jan 1 00:00:00 UTC 2024"),
        ('m', "aarch64"),
        ('o', "Toybox"),
    ];
    let none = !parts.iter().any(|(letter, _)| options.has(*letter));
    let wanted = parts
        .iter()
        .filter(|(letter, _)| options.has('a') || options.has(*letter) || (none && *letter == 's'));
    let line: Vec<&str> = wanted.map(|(_, text)| *text).collect();
    p.out(format!("{}\n", line.join(" "))).await.map(|()| 0)
}

pub(super) async fn df(p: &mut Process<'_>) -> Ending {
    let options = match p.options("hkiaPH", "t") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let files = p.shell.files();
    let used = if files.is_full() {
        STORAGE_KB
    } else {
        20_000_000 + files.used_bytes() / 1024
    };
    let free = STORAGE_KB.saturating_sub(used);
    let show = |kilobytes: u64| match options.has('h') {
        true if kilobytes >= 1 << 20 => format!("{}G", kilobytes >> 20),
        true => format!("{}M", kilobytes >> 10),
        false => kilobytes.to_string(),
    };
    let head = if options.has('h') {
        "Filesystem      Size  Used Avail Use% Mounted on"
    } else {
        "Filesystem     1K-blocks     Used Available Use% Mounted on"
    };
    let row = |device: &str, size: u64, used: u64, free: u64, mount: &str| {
        let percent = (used * 100).div_ceil(size.max(1));
        format!(
            "{device:<14} {:>9} {:>8} {:>9} {percent:>3}% {mount}\n",
            show(size),
            show(used),
            show(free)
        )
    };
    let mut out = format!("{head}\n");
    if options.operands.is_empty() {
        out += &row("/dev/block/dm-0", 3_000_000, 3_000_000, 0, "/");
        out += &row("/dev/block/dm-40", STORAGE_KB, used, free, "/data");
    }
    for path in &options.operands {
        if let Err(error) = files.stat(&p.absolute(path)) {
            return p.complain_of(path, error.errno).await;
        }
    }
    out += &row("/dev/fuse", STORAGE_KB, used, free, "/storage/emulated");
    p.out(out).await.map(|()| 0)
}

/// Nothing that the shell user could end is shown by `ps`, so there is nothing to end.
pub(super) async fn kill(p: &mut Process<'_>) -> Ending {
    let targets: Vec<&String> = p.arguments.iter().filter(|word| !word.starts_with('-')).collect();
    let Some(target) = targets.first() else {
        return p.complain("Needs 1 argument").await;
    };
    match p.name {
        "pkill" => Ok(1),
        "killall" => p.complain(format!("{target}: No such process")).await,
        _ if target.parse::<u32>().is_err() => p.complain(format!("unknown pid '{target}'")).await,
        _ if *target == "4242" => Ok(0),
        _ => p.complain(format!("{target}: No such process")).await,
    }
}

pub(super) async fn free(p: &mut Process<'_>) -> Ending {
    let table = "\t\ttotal        used        free      shared     buffers\n\
                 Mem:       7680000000  5120000000  2560000000    61440000     8192000\n\
                 -/+ buffers/cache:     5111808000  2568192000\n\
                 Swap:      4294963200           0  4294963200\n";
    p.out(table).await.map(|()| 0)
}

pub(super) async fn sleep(p: &mut Process<'_>) -> Ending {
    let mut total = Duration::ZERO;
    for word in p.arguments {
        match duration(word) {
            Some(time) => total = total.saturating_add(time).min(MAX_SLEEP),
            None => return p.complain(format!("bad '{word}'")).await,
        }
    }
    tokio::time::sleep(total).await;
    Ok(0)
}

/// A time like `0.5`, `2s`, `3m`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let number = text.trim_end_matches(['s', 'm', 'h', 'd']);
    let factor = match text.get(number.len()..)? {
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    let seconds = number.parse::<f64>().ok()? * factor;
    Some(Duration::try_from_secs_f64(seconds).ok()?.min(MAX_SLEEP))
}

pub(super) async fn seq(p: &mut Process<'_>) -> Ending {
    let numbers: Vec<i64> = p.arguments.iter().filter_map(|word| word.parse().ok()).collect();
    let (first, step, last) = match numbers.as_slice() {
        [last] => (1, 1, *last),
        [first, last] => (*first, 1, *last),
        [first, step, last] if *step != 0 => (*first, *step, *last),
        _ => return p.complain("Needs 1 argument").await,
    };
    let mut out = String::new();
    let mut number = first;
    for _ in 0..MAX_SEQUENCE {
        if (step > 0 && number > last) || (step < 0 && number < last) {
            break;
        }
        out += &format!("{number}\n");
        number = number.saturating_add(step);
    }
    p.out(out).await.map(|()| 0)
}

/// `basename`, `dirname`, `readlink`, `realpath`.
pub(super) async fn path(p: &mut Process<'_>) -> Ending {
    let operands: Vec<&String> = p.arguments.iter().filter(|word| !word.starts_with('-')).collect();
    let Some(&path) = operands.first() else {
        return p.complain("Needs 1 argument").await;
    };
    let trimmed = path.trim_end_matches('/');
    let (folder, name) = trimmed.rsplit_once('/').unwrap_or((".", trimmed));
    let line = match p.name {
        "basename" => {
            let suffix = operands.get(1).map_or("", |suffix| suffix.as_str());
            name.strip_suffix(suffix)
                .filter(|stem| !stem.is_empty())
                .unwrap_or(name)
                .to_owned()
        }
        "dirname" if folder.is_empty() => "/".to_owned(),
        "dirname" => folder.to_owned(),
        _ if p.shell.files().exists(&p.absolute(path)) => {
            p.absolute(path).replacen("/sdcard", "/storage/emulated/0", 1)
        }
        _ => return Ok(1),
    };
    p.out(format!("{line}\n")).await.map(|()| 0)
}

pub(super) async fn which(p: &mut Process<'_>) -> Ending {
    let mut code = 0;
    for name in p.arguments.iter().filter(|word| !word.starts_with('-')) {
        if NAMES.contains(&name.as_str()) || ANDROID_PROGRAMS.contains(&name.as_str()) {
            p.out(format!("/system/bin/{name}\n")).await?;
        } else {
            code = 1;
        }
    }
    Ok(code)
}
