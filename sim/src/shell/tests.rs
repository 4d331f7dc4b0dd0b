use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use proptest::prelude::*;
use tokio::{
    io::DuplexStream,
    sync::{mpsc, watch},
};

use super::*;
use crate::{
    device::{Banner, Completion, Device, Frame, Invocation, Link},
    fs::Filesystem,
};

/// A phone with two programs: `argv` prints its arguments, each behind its length; `stdin` what it is given.
struct TestPhone {
    files: Arc<Filesystem>,
    link: watch::Sender<Link>,
}

#[async_trait]
impl Device for TestPhone {
    fn serial(&self) -> &str {
        "T1"
    }

    fn banner(&self) -> Banner {
        Banner {
            product: "p".to_owned(),
            model: "m".to_owned(),
            device: "d".to_owned(),
        }
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }

    fn files(&self) -> Arc<Filesystem> {
        self.files.clone()
    }

    async fn run(&self, invocation: Invocation) -> Option<Completion> {
        let arguments = invocation.argv.get(1..)?;
        let stdout = match invocation.argv.first()?.as_str() {
            "argv" => arguments
                .iter()
                .map(|word| format!("{}:{word};", word.len()))
                .collect::<String>()
                .into_bytes(),
            "stdin" => invocation.stdin,
            _ => return None,
        };
        Some(Completion {
            stdout,
            ..Completion::default()
        })
    }

    async fn frame(&self) -> Frame {
        Frame {
            width: 0,
            height: 0,
            rgba: Vec::new(),
        }
    }

    async fn connect_tcp(&self, _port: u16) -> Option<DuplexStream> {
        None
    }

    async fn reboot(&self) {}
}

#[derive(Debug, PartialEq, Eq)]
struct Ran {
    stdout: String,
    stderr: String,
    code: Option<u8>,
}

async fn run_on(files: Arc<Filesystem>, text: &str, stdin: &'static str) -> Ran {
    let phone = Arc::new(TestPhone {
        files,
        link: watch::Sender::new(Link::default()),
    });
    let (output, mut chunks) = mpsc::channel::<Chunk>(4);
    let session = Session::new(phone, false);
    let collect = async {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        while let Some((channel, bytes)) = chunks.recv().await {
            match channel {
                Channel::Stdout => stdout.extend_from_slice(&bytes),
                Channel::Stderr => stderr.extend_from_slice(&bytes),
            }
        }
        (stdout, stderr)
    };
    let (code, (stdout, stderr)) = tokio::join!(session.run(text, Input::from_bytes(stdin.into()), output), collect);
    Ran {
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        code,
    }
}

async fn run(text: &str) -> Ran {
    run_on(Arc::new(Filesystem::new()), text, "").await
}

#[tokio::test]
async fn texts_print_what_they_print_on_a_phone() {
    let cases = [
        // Quoting and expansion.
        ("echo a  b 'c  d' \"e  f\" g\\ h", "a b c  d e  f g h\n"),
        ("argv '' \"\" a''b", "0:;0:;2:ab;"),
        ("argv 'it'\\''s' \"a\\\"b\" \"\\$x\" '\\n'", "4:it's;3:a\"b;2:$x;2:\\n;"),
        (
            "X='a  b'; argv $X; argv \"$X\"; argv pre\"$X\"post",
            "1:a;1:b;4:a  b;11:prea  bpost;",
        ),
        (
            "argv $NONE \"$NONE\" ${NONE:-d e} \"${NONE:-d e}\"",
            "0:;1:d;1:e;3:d e;",
        ),
        (
            "X=abc; echo ${#X} ${X%c} ${X#a} ${X+set} ${Y-unset} ${Y:=now} $Y",
            "3 ab bc set unset now now\n",
        ),
        ("P=/a/b/c.txt; echo ${P##*/} ${P%/*} ${P%.*}", "c.txt /a/b /a/b/c\n"),
        (
            "echo $(echo one; echo two) \"$(echo one; echo two)\"",
            "one two one\ntwo\n",
        ),
        ("echo `echo a \\`echo b\\`` $(echo $(echo c))", "a b c\n"),
        (
            "echo $((2 + 3 * 4)) $(( (2+3)*4 )) $((7/2)) $((-7 % 3)) $((1<<4|1)) $((3>2 && 1!=1))",
            "14 20 3 -1 17 0\n",
        ),
        ("i=5; echo $((i+1)) $(($i*2))", "6 10\n"),
        ("echo a#b # comment", "a#b\n"),
        ("echo a\\\nb", "ab\n"),
        ("echo \\\"; echo $; echo a$; echo '$X'", "\"\n$\na$\n$X\n"),
        (
            "set -- a 'b c'; argv \"$@\"; argv $*; echo $# $2; shift; echo $1",
            "1:a;3:b c;1:a;1:b;1:c;2 b c\nb c\n",
        ),
        // Lists, pipes, redirections.
        ("true && echo yes || echo no; false && echo yes || echo no", "yes\nno\n"),
        ("! true; echo $?; ! false; echo $?", "1\n0\n"),
        (
            "sh -c 'exit 7'; code=$?; echo $code $?; x=$(sh -c 'exit 3'); echo $?; sh -c 'exit 3'; y=1; echo $?",
            "7 0\n3\n0\n",
        ),
        ("printf 'b\\na\\nb\\n' | sort | uniq | wc -l", "2\n"),
        (
            "echo one > /sdcard/f; echo two >> /sdcard/f; cat < /sdcard/f",
            "one\ntwo\n",
        ),
        (
            "ls /none 2>&1; ls /none 2>/dev/null; echo $?",
            "ls: /none: No such file or directory\n1\n",
        ),
        (
            "{ echo a; echo b; } | tail -n 1; (cd /sdcard; pwd); pwd",
            "b\n/sdcard\n/\n",
        ),
        ("echo typed | stdin; stdin < /proc/version | head -c 5", "typed\nLinux"),
        ("X=1 env | grep ^X=; echo \"[$X]\"", "X=1\n[]\n"),
        ("export A=1; sh -c 'echo $A $1' sh two; eval 'echo $A'", "1 two\n1\n"),
        ("echo out; echo err >&2", "out\n"),
        // Control flow.
        (
            "if [ -d /sdcard ]; then echo dir; elif true; then echo no; else echo no; fi",
            "dir\n",
        ),
        ("if false; then echo a; else echo b; fi; echo $?", "b\n0\n"),
        ("for x in 1 2 'a b'; do echo \"<$x>\"; done", "<1>\n<2>\n<a b>\n"),
        (
            "i=0; while [ $i -lt 5 ]; do i=$((i+1)); [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done",
            "1\n3\n",
        ),
        ("until [ -e /sdcard/x ]; do touch /sdcard/x; echo once; done", "once\n"),
        (
            "for a in 1 2; do for b in 1 2; do [ $b = 2 ] && continue 2; echo $a$b; done; done",
            "11\n21\n",
        ),
        (
            "case abc in x) echo x;; a*|b) echo match;; *) echo other;; esac",
            "match\n",
        ),
        ("echo 'a b' c | while read x y z; do echo \"$x,$y,$z\"; done", "a,b,c\n"),
        // File names.
        (
            "cd /sdcard; touch a1 a2 b1 .h; echo a* '*' \"a*\" z* [ab]1 ?2",
            "a1 a2 * a* z* a1 b1 a2\n",
        ),
        ("echo /storage/emul*/0/D[A-C]*", "/storage/emulated/0/DCIM\n"),
        // Programs.
        ("echo -n a; echo -e 'b\\tc'; echo -- d", "ab\tc\n-- d\n"),
        (
            "printf '%s-%d %5s|%-3s|%03d %x %%\\n' a 7 b c 5 255; printf '%s\\n' x y",
            "a-7     b|c  |005 ff %\nx\ny\n",
        ),
        (
            "echo hello | md5sum; echo hello > /sdcard/h; md5sum /sdcard/h",
            "b1946ac92492d2347c6235b4d2611184  -\nb1946ac92492d2347c6235b4d2611184  /sdcard/h\n",
        ),
        (
            "seq 5 | head -n 2; seq 5 | tail -2; seq 5 | tail -n +4; printf abcdef | head -c 3",
            "1\n2\n4\n5\n4\n5\nabc",
        ),
        (
            "printf 'ab\\nAB\\nxb\\n' | grep -c b; printf 'a.c\\nabc\\n' | grep -F a.c; printf 'x\\ny\\n' | grep -v x",
            "2\na.c\ny\n",
        ),
        (
            "printf 'mFoo=1\\nbar\\n' | grep -oE '[a-z]+=[0-9]|bar'; echo aXb | grep -i 'x'",
            "oo=1\nbar\naXb\n",
        ),
        (
            "echo abc | tr a-c A-C; echo 'a b' | tr -d ' '; echo a:b:c | cut -d: -f2-",
            "ABC\nab\nb:c\n",
        ),
        (
            "echo 'a/b/a' | sed 's/a/X/g'; seq 3 | sed -n 2p; seq 3 | sed '$d'",
            "X/b/X\n2\n1\n2\n",
        ),
        (
            "dd if=/dev/zero bs=1k count=2 2>/dev/null | wc -c; printf abcdef | dd bs=1 skip=2 count=3 2>/dev/null",
            "2048\ncde",
        ),
        (
            "mkdir -p /sdcard/p/q; cp /proc/version /sdcard/p/q/v; cp -r /sdcard/p /sdcard/r; mv /sdcard/r /sdcard/s; find /sdcard/s -type f; rm -rf /sdcard/s; ls /sdcard/s 2>&1",
            "/sdcard/s/q/v\nls: /sdcard/s: No such file or directory\n",
        ),
        (
            "printf 1234 > /sdcard/t; stat -c '%s %n %a %F' /sdcard/t; [ -s /sdcard/t ] && wc -c < /sdcard/t",
            "4 /sdcard/t 660 regular file\n4\n",
        ),
        (
            "whoami; id -u; uname; basename /a/b.c .c; dirname /a/b.c; which am ls nope",
            "shell\n2000\nLinux\nb\n/a\n/system/bin/am\n/system/bin/ls\n",
        ),
        (
            "toybox echo hi; /system/bin/echo there; timeout 5 echo t; echo a b | xargs argv x",
            "hi\nthere\nt\n1:x;1:a;1:b;",
        ),
        (
            "[ 3 -gt 2 -a ! 1 = 2 ] && [ -n x -o -z x ] && test a != b && echo all",
            "all\n",
        ),
        (
            "echo 'echo from script $1' > /sdcard/s.sh; sh /sdcard/s.sh arg; . /sdcard/s.sh",
            "from script arg\nfrom script\n",
        ),
    ];
    let mut wrong = Vec::new();
    for (text, wanted) in cases {
        let ran = run(text).await;
        if ran.stdout != wanted {
            wrong.push(format!(
                "{text}\n  wanted {wanted:?}\n  got    {:?}\n  stderr {:?}",
                ran.stdout, ran.stderr
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn errors_have_the_words_and_codes_of_a_phone() {
    for (text, stderr, code) in [
        ("nope -x", "/system/bin/sh: nope: inaccessible or not found\n", 127),
        (
            "/data/local/tmp/no",
            "/system/bin/sh: /data/local/tmp/no: inaccessible or not found\n",
            127,
        ),
        (
            "touch /sdcard/s; /sdcard/s",
            "/system/bin/sh: /sdcard/s: can't execute: Permission denied\n",
            126,
        ),
        (
            "echo x > /system/f",
            "/system/bin/sh: can't create /system/f: Read-only file system\n",
            1,
        ),
        (
            "cat < /none",
            "/system/bin/sh: can't open /none: No such file or directory\n",
            1,
        ),
        ("cat /none", "cat: /none: No such file or directory\n", 1),
        ("rm /none", "rm: /none: No such file or directory\n", 1),
        ("rm /sdcard", "rm: /sdcard: Is a directory\n", 1),
        ("ls /data/data", "ls: /data/data: Permission denied\n", 1),
        ("mkdir /sdcard/DCIM", "mkdir: '/sdcard/DCIM': File exists\n", 1),
        ("echo 'unended", "/system/bin/sh: syntax error: unexpected EOF\n", 1),
        ("echo ) x", "/system/bin/sh: syntax error: unexpected ')'\n", 1),
        ("if true; fi", "/system/bin/sh: syntax error: unexpected 'fi'\n", 1),
        ("cat <<EOF", "/system/bin/sh: syntax error: unexpected '<<'\n", 1),
        ("echo $((1/0))", "/system/bin/sh: divide by zero\n", 1),
        ("cd /none", "/system/bin/sh: cd: /none: No such file or directory\n", 2),
        ("exit 42; echo never", "", 42),
        ("(exit 3); exit", "", 3),
        ("false", "", 1),
        ("rm -f /none", "", 0),
    ] {
        let ran = run(text).await;
        assert_eq!((ran.stderr.as_str(), ran.code), (stderr, Some(code)), "{text}");
    }
}

#[tokio::test]
async fn a_full_phone_says_so_when_written_to() {
    let files = Arc::new(Filesystem::new());
    files.set_full(true);

    let ran = run_on(files.clone(), "echo x > /sdcard/f", "").await;

    assert_eq!(
        (ran.stderr.as_str(), ran.code),
        ("echo: write: No space left on device\n", Some(1))
    );
    assert_eq!(files.read("/sdcard/f").unwrap(), "");
}

#[tokio::test]
async fn input_from_the_host_is_shared_by_the_commands() {
    let ran = run_on(
        Arc::new(Filesystem::new()),
        "read a; echo got $a; cat",
        "first\nsecond\nthird",
    )
    .await;

    assert_eq!(ran.stdout, "got first\nsecond\nthird");
}

#[tokio::test]
async fn hostile_texts_end_in_an_error_and_soon() {
    let nested = |open: &str, inner: &str, close: &str, times: usize| open.repeat(times) + inner + &close.repeat(times);
    let texts = [
        nested("$(", "echo x", ")", 10_000),
        nested("(", "echo x", ")", 10_000),
        nested("{ ", "echo x;", " };", 10_000),
        nested("if true; then ", "echo x;", " fi;", 10_000),
        nested("( ", "echo x", " )", 20),
        nested("echo $(", "echo x", ")", 20),
        nested("for i in 1; do ", "echo x;", " done;", 20),
        format!(
            "f=/sdcard/deep; echo '{}' > $f; sh $f",
            nested("( if true; then ", "sh /sdcard/deep;", " fi )", 10)
        ),
        nested("${x:-", "y", "}", 10_000),
        nested("echo $((", "1", "))", 10_000),
        format!("echo $(({}1{}))", "(".repeat(10_000), ")".repeat(10_000)),
        format!("echo $(({}1))", "-".repeat(10_000)),
        format!("test {} a", "! ".repeat(10_000)),
        format!("{} echo x", "nohup ".repeat(10_000)),
        format!("{} echo x", "eval ".repeat(10_000)),
        "while true; do :; done".to_owned(),
        "until false; do continue; done".to_owned(),
        "a=xxxxxxxxxxxxxxxx; while true; do a=$a$a; done".to_owned(),
        format!("i=0; while true; do i=$((i+1)); eval \"v$i={}\"; done", "x".repeat(300)),
        format!("echo {} | grep -E '{}z'", "ab".repeat(50_000), "a|b|".repeat(10_000)),
        format!("echo {} | tr '{}' x", "ab".repeat(50_000), "xyz".repeat(20_000)),
        "f=/sdcard/loop; echo 'sh /sdcard/loop' > $f; sh $f".to_owned(),
        "f=/sdcard/loop; echo '. /sdcard/loop' > $f; . $f".to_owned(),
        "echo ".to_owned() + &"*/".repeat(2_000),
        "case ".to_owned() + &"a".repeat(5_000) + " in " + &"*a".repeat(5_000) + "b) echo;; esac",
        "echo ".to_owned() + &"a".repeat(50_000) + " | grep -E '(a*)*b'",
        "x".repeat(2 << 20),
    ];
    for text in texts {
        let ran = tokio::time::timeout(Duration::from_secs(60), run(&text)).await;
        assert!(ran.is_ok(), "did not end: {}", &text[..text.len().min(60)]);
    }
}

#[tokio::test(start_paused = true)]
async fn time_passes_for_sleeping_commands_only() {
    let begun = tokio::time::Instant::now();

    run("echo a; sleep 1.5; sleep 0.5s").await;
    assert_eq!(begun.elapsed().as_millis() / 10, 200);
    let ran = run("timeout 1 sleep 100; echo $?").await;

    assert_eq!(ran.stdout, "124\n");
}

#[tokio::test]
async fn nobody_who_reads_ends_the_session() {
    let phone = Arc::new(TestPhone {
        files: Arc::new(Filesystem::new()),
        link: watch::Sender::new(Link::default()),
    });
    let (output, chunks) = mpsc::channel(1);
    drop(chunks);

    let ended = Session::new(phone.clone(), false)
        .run("while true; do echo x; done", Input::empty(), output)
        .await;

    assert_eq!(ended, None);
}

proptest! {
    #[test]
    fn the_parser_takes_any_text(text in "[ -~\\n]{0,80}") {
        let _ = parse::parse(&text);
    }

    #[test]
    fn the_parser_takes_any_mixture_of_syntax(parts in prop::collection::vec(prop::sample::select(vec![
        "if", " ", "then", "fi", ";", "\n", "(", ")", "{", "}", "$", "$(", "${", "`", "'", "\"", "\\", "|", "&&", "&",
        "<", ">", ">>", "2>&1", "x", "=", "#", "$((", "))", "case", "in", "esac", ";;", "for", "do", "done", "while",
        "!", "-", ":", "%", "é",
    ]), 0..40)) {
        let _ = parse::parse(&parts.concat());
    }

    #[test]
    fn a_single_quoted_word_arrives_as_it_is(word in "\\PC{0,60}|[\\n\\t '\"\\\\$`*?\\[\\]~#&;|<>(){}!]{0,30}") {
        let quoted = format!("argv '{}'", word.replace('\'', "'\\''"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let ran = runtime.block_on(run(&quoted));
        prop_assert_eq!(ran.stdout, format!("{}:{word};", word.len()));
    }

    #[test]
    fn a_glob_of_escaped_text_matches_that_text_only(text in "[a-c*?\\[\\]\\\\!^-]{0,12}", other in "[a-c*?\\[\\]\\\\!^-]{0,12}") {
        let mut pattern = String::new();
        glob::escape_into(&mut pattern, &text);
        prop_assert!(glob::matches(&pattern, &text));
        prop_assert_eq!(glob::matches(&pattern, &other), text == other);
    }

    #[test]
    fn arithmetic_takes_any_text(text in "[0-9a-c+*/%()<>=!&|^~ -]{0,40}") {
        let _ = arithmetic::evaluate(&text, &variables::Variables::of_adb_shell());
    }
}
