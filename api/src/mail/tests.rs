use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;

use runtime::net::{Listener, Net as _, OsNet, Stream};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use super::*;

const TOKEN: &str = "b3BhcXVlLCA0MyBjaGFyYWN0ZXJzIG9mIGJhc2U2NHVybA";

fn mail(postbox: &Postbox) -> Mail {
    Mail {
        id: Uuid::from_u128(7),
        to: "maria@example.net".parse().unwrap(),
        subject: "Einladung für Maria".to_owned(),
        text: format!("Open this page:\n\n{}\n", postbox.link("invitation", TOKEN)),
        written_at: Timestamp::from_micros(1_790_000_000_000_000),
    }
}

fn options() -> MailOptions {
    MailOptions {
        from: "WARP <warp@example.net>".to_owned(),
        link_base: "https://console.example.net/".to_owned(),
        ..MailOptions::default()
    }
}

#[tokio::test]
async fn a_mail_becomes_a_file_of_the_nodes_own_user() {
    let directory = tempfile::tempdir().unwrap();
    let postbox = Postbox::new(options(), directory.path());
    let mail = mail(&postbox);
    postbox.send(&mail).await.unwrap();
    let path = directory.path().join("mail").join(format!("1790000000-{}.eml", mail.id));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let directory = path.parent().unwrap();
    assert_eq!(std::fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::read_dir(directory).unwrap().count(), 1, "nothing half written is left");
    let text = std::fs::read_to_string(&path).unwrap();
    for line in [
        "From: WARP <warp@example.net>\r\n",
        "To: maria@example.net\r\n",
        "Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n",
        &format!("Message-ID: <{}@example.net>\r\n", mail.id),
        "MIME-Version: 1.0\r\n",
        "Content-Type: text/plain; charset=utf-8\r\n",
        &format!("\r\nhttps://console.example.net/invitation#{TOKEN}\r\n"),
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    assert!(!text.contains("für"), "headers are ASCII (RFC 2047)");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_tried_again_and_a_bad_sender_is_not() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("mail"), "in the way").unwrap();
    let postbox = Postbox::new(options(), directory.path());
    let refused = postbox.send(&mail(&postbox)).await.unwrap_err();
    assert!(!refused.is_final() && !refused.to_string().contains(TOKEN), "{refused}");
    let postbox = Postbox::new(MailOptions { from: String::new(), ..options() }, directory.path());
    assert!(postbox.send(&mail(&postbox)).await.unwrap_err().is_final());
}

/// A relay that gives `answers` to what it is told; gives what that was.
async fn relay(mut listener: Box<dyn Listener>, answers: &[(&str, &str)]) -> String {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream: BufReader<Stream> = BufReader::new(stream);
    stream.write_all(b"220 relay.example.net\r\n").await.unwrap();
    let (mut told, mut is_data) = (String::new(), false);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return told;
        }
        told.push_str(&line);
        let answer = answers.iter().find(|(verb, _)| line.starts_with(verb)).map(|(_, answer)| *answer);
        let answer = match answer {
            _ if is_data && line == ".\r\n" => "250 taken",
            _ if is_data => continue,
            Some(answer) => answer,
            None => "250 fine",
        };
        is_data = answer.starts_with("354");
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
    }
}

async fn by_relay(answers: &[(&str, &str)]) -> (Result<(), Error>, String) {
    let listener = OsNet.listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let options = MailOptions {
        smtp_host: "127.0.0.1".to_owned(),
        smtp_port: listener.local_addr().unwrap().port(),
        smtp_security: SmtpSecurity::None,
        ..options()
    };
    let postbox = Postbox::new(options, Path::new("/nonexistent"));
    let mail = mail(&postbox);
    tokio::join!(postbox.send(&mail), relay(listener, answers))
}

#[tokio::test]
async fn a_relay_takes_a_mail() {
    let (sent, told) = by_relay(&[("DATA", "354 go on")]).await;
    sent.unwrap();
    for line in ["MAIL FROM:<warp@example.net>", "RCPT TO:<maria@example.net>", "DATA\r\n", TOKEN] {
        assert!(told.contains(line), "{line:?} is not in\n{told}");
    }
}

#[tokio::test]
async fn what_a_relay_refuses_for_good_is_not_tried_again() {
    for (verb, answer, is_final) in [
        ("RCPT", "550 no such person", true),
        ("RCPT", "451 later, please", false),
        ("MAIL", "421 too many", false),
    ] {
        let (refused, _) = by_relay(&[(verb, answer), ("DATA", "354 go on")]).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.is_final(), is_final, "{refused}");
        assert!(refused.to_string().starts_with("the relay 127.0.0.1: "), "{refused}");
    }
}
