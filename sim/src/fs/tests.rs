use super::*;

#[test]
fn shared_storage_has_one_content_under_all_its_names() {
    let files = Filesystem::new();
    files.write("/sdcard/DCIM/a.mp4", "clip").unwrap();

    assert_eq!(files.read("/storage/emulated/0/DCIM/a.mp4").unwrap(), "clip");
    assert_eq!(files.read("/sdcard/./DCIM/../DCIM//a.mp4").unwrap(), "clip");
    assert!(files.read("/sdcardx/DCIM/a.mp4").is_err());
}

#[test]
fn the_system_is_read_only_and_foreign_data_is_closed() {
    let files = Filesystem::new();

    assert_eq!(files.write("/system/x", "").unwrap_err().errno, Errno::ReadOnly);
    assert_eq!(files.write("/x", "").unwrap_err().errno, Errno::ReadOnly);
    assert_eq!(files.write("/data/x", "").unwrap_err().errno, Errno::PermissionDenied);
    assert_eq!(files.list("/data/data").unwrap_err().errno, Errno::PermissionDenied);
    assert_eq!(files.remove_all("/sdcard").unwrap_err().errno, Errno::PermissionDenied);
    assert_eq!(
        files.remove_all("/data/local/tmp").unwrap_err().errno,
        Errno::PermissionDenied
    );
}

#[test]
fn a_full_phone_takes_nothing_but_still_deletes() {
    let files = Filesystem::new();
    files.write("/sdcard/a", "1").unwrap();
    files.set_full(true);

    assert_eq!(
        files.write("/sdcard/b", "1").unwrap_err().to_string(),
        "/storage/emulated/0/b: No space left on device"
    );
    assert_eq!(files.append("/sdcard/a", b"2").unwrap_err().errno, Errno::NoSpace);
    assert_eq!(files.mkdir("/sdcard/d").unwrap_err().errno, Errno::NoSpace);
    files.remove("/sdcard/a").unwrap();
    files.set_full(false);
    files.write("/sdcard/b", "1").unwrap();
}

#[test]
fn a_folder_lists_its_own_entries_only() {
    let files = Filesystem::new();
    files.mkdirs("/sdcard/a/b/c").unwrap();
    files.write("/sdcard/a/z", "12").unwrap();
    files.write("/sdcard/a/b/y", "").unwrap();
    files.write("/sdcard/ab", "").unwrap();

    let entries = files.list("/sdcard/a").unwrap();

    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["b", "z"]);
    assert!(entries[0].metadata.is_dir());
    assert_eq!(entries[1].metadata.size, 2);
    assert_eq!(files.list("/sdcard/a/z").unwrap_err().errno, Errno::NotADirectory);
    assert!(files.list("/").unwrap().iter().any(|entry| entry.name == "storage"));
}

#[test]
fn a_folder_moves_with_all_that_is_in_it() {
    let files = Filesystem::new();
    files.mkdirs("/sdcard/a/b").unwrap();
    files.write("/sdcard/a/b/f", "x").unwrap();

    files.rename("/sdcard/a", "/data/local/tmp/c").unwrap();

    assert_eq!(files.read("/data/local/tmp/c/b/f").unwrap(), "x");
    assert!(!files.exists("/sdcard/a"));
    assert_eq!(
        files
            .rename("/data/local/tmp/c", "/data/local/tmp/c/d")
            .unwrap_err()
            .errno,
        Errno::InvalidArgument
    );
    assert_eq!(
        files.rename("/sdcard/none", "/sdcard/x").unwrap_err().errno,
        Errno::NotFound
    );
}

#[test]
fn appends_add_up_and_the_sum_of_bytes_is_kept() {
    let files = Filesystem::new();
    let before = files.used_bytes();
    files.append("/sdcard/log", b"one ").unwrap();
    let shared = files.read("/sdcard/log").unwrap();
    files.append("/sdcard/log", b"two").unwrap();

    assert_eq!(files.read("/sdcard/log").unwrap(), "one two");
    assert_eq!(shared, "one ");
    assert_eq!(files.used_bytes() - before, 7);
    files.write("/sdcard/log", "x").unwrap();
    assert_eq!(files.used_bytes() - before, 1);
    files.remove("/sdcard/log").unwrap();
    assert_eq!(files.used_bytes(), before);
}

#[test]
fn a_path_through_a_file_or_a_missing_folder_is_refused() {
    let files = Filesystem::new();
    files.write("/sdcard/f", "x").unwrap();

    assert_eq!(files.write("/sdcard/f/g", "").unwrap_err().errno, Errno::NotADirectory);
    assert_eq!(files.write("/sdcard/no/g", "").unwrap_err().errno, Errno::NotFound);
    assert_eq!(files.mkdirs("/sdcard/f/g").unwrap_err().errno, Errno::NotADirectory);
    assert_eq!(
        files
            .write(&format!("/sdcard/{}", "n".repeat(256)), "")
            .unwrap_err()
            .errno,
        Errno::NameTooLong
    );
    assert_eq!(files.write("/sdcard", "").unwrap_err().errno, Errno::PermissionDenied);
}

#[test]
fn the_null_device_swallows_everything() {
    let files = Filesystem::new();

    files.write("/dev/null", "gone").unwrap();

    assert_eq!(files.read("/dev/null").unwrap(), "");
    assert_eq!(files.remove("/dev/null").unwrap_err().errno, Errno::PermissionDenied);
}

#[test]
fn md5_is_that_of_the_content() {
    let files = Filesystem::new();
    files.provide("/system/build.prop", "hello\n");

    assert_eq!(
        files.md5("/system/build.prop").unwrap(),
        "b1946ac92492d2347c6235b4d2611184"
    );
}
