//! URLs that FFmpeg may open sockets for, and what it is told with them.

use std::net::IpAddr;

use super::{Error, Options};

/// What to open.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) url: String,
    /// FFmpeg's name of the format, so that what a server sends can't choose one that opens further addresses.
    pub(crate) format: &'static str,
    pub(crate) options: Vec<(&'static str, String)>,
}

/// Query parameters of `srt` that don't change who connects to whom.
const SRT_PARAMETERS: [&str; 6] = ["streamid", "srt_streamid", "passphrase", "pbkeylen", "latency", "mode"];

/// Takes a URL apart and puts it together again, with `address` in the place of its host.
///
/// # Errors
/// When it is not one of the four live schemes, or asks for more than to connect.
pub(crate) fn target(url: &str, address: Option<IpAddr>, given: &Options) -> Result<Target, Error> {
    let refused = |why| Err(Error::Address(why));
    if url.chars().any(|c| c.is_control() || c == ' ') {
        return refused("it holds a blank or a control character");
    }
    let Some((scheme, rest)) = url.split_once("://") else { return refused("it is no URL") };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, place) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    let port_at = match place.rfind(']') {
        Some(end) => end + 1,
        None => place.find(':').unwrap_or(place.len()),
    };
    let (host, port) = place.split_at(port_at);
    if host.is_empty() || !(port.is_empty() || port[1..].parse::<u16>().is_ok_and(|port| port > 0)) {
        return refused("it has no host, or no proper port");
    }
    let shown_host = match address {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => format!("[{address}]"),
        None => host.to_owned(),
    };
    let scheme = scheme.to_ascii_lowercase();
    let url = format!("{scheme}://{user}{shown_host}{port}{path}");
    let timeout_micros = given.timeout.as_micros();
    let timeout = timeout_micros.to_string();
    let (format, options) = match scheme.as_str() {
        "rtmp" | "rtmps" => {
            let protocols = if scheme == "rtmp" { "rtmp,tcp" } else { "rtmps,tls,tcp" };
            let mut options = vec![("protocol_whitelist", protocols.to_owned()), ("rw_timeout", timeout)];
            if address.is_some() {
                // Servers choose the virtual host, and certificates name it, by the name we were given.
                let app = application(path);
                options.push(("rtmp_tcurl", format!("{scheme}://{host}{port}/{app}")));
                options.push(("verifyhost", host.to_owned()));
            }
            if scheme == "rtmps" {
                // FFmpeg takes any certificate otherwise.
                options.push(("tls_verify", "1".to_owned()));
                if let Some(path) = &given.authorities {
                    let path =
                        path.to_str().ok_or(Error::Address("the file of certificates has no proper name"))?;
                    options.push(("ca_file", path.to_owned()));
                }
            }
            ("flv", options)
        }
        "rtsp" => {
            let options = vec![
                ("protocol_whitelist", "tcp".to_owned()),
                // Over the one connection we checked; with UDP the server would name addresses.
                ("rtsp_transport", "tcp".to_owned()),
                ("allowed_media_types", if given.sound { "video+audio" } else { "video" }.to_owned()),
                ("timeout", timeout),
            ];
            ("rtsp", options)
        }
        "srt" => {
            let query = path.split_once('?').map_or("", |(_, query)| query);
            for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
                let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                if !SRT_PARAMETERS.contains(&name) || name == "mode" && value != "caller" {
                    return refused(
                        "srt with a parameter other than streamid, passphrase, pbkeylen, latency",
                    );
                }
            }
            let milliseconds = (timeout_micros / 1000).max(1).to_string();
            let options = vec![
                ("protocol_whitelist", "srt".to_owned()),
                ("timeout", timeout),
                ("connect_timeout", milliseconds),
            ];
            ("mpegts", options)
        }
        _ => return refused("only rtmp, rtmps, rtsp and srt are opened"),
    };
    Ok(Target { url, format, options })
}

/// The part of an RTMP path that is the application: one step, or two where there are three or more.
fn application(path: &str) -> String {
    let steps: Vec<&str> = path.trim_start_matches('/').splitn(4, '/').collect();
    steps[..steps.len().saturating_sub(1).clamp(1, 2)].join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(target: &Target, name: &str) -> Option<String> {
        target.options.iter().find(|option| option.0 == name).map(|option| option.1.clone())
    }

    #[test]
    fn the_address_takes_the_hosts_place_and_the_name_stays_where_servers_look_for_it() {
        let v4 = Some(IpAddr::from([192, 0, 2, 7]));
        let v6 = Some(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]));
        for (url, address, expected, tc_url) in [
            ("rtmp://a.example/live/k", None, "rtmp://a.example/live/k", None),
            ("rtmp://a.example/live/k", v4, "rtmp://192.0.2.7/live/k", Some("rtmp://a.example/live")),
            (
                "RTMP://a.example:1936/app/x/k?t=1",
                v6,
                "rtmp://[2001:db8::1]:1936/app/x/k?t=1",
                Some("rtmp://a.example:1936/app/x"),
            ),
            ("rtmps://a.example/live/k", v4, "rtmps://192.0.2.7/live/k", Some("rtmps://a.example/live")),
            ("rtsp://u:p@cam.example:554/h264?ch=1", v4, "rtsp://u:p@192.0.2.7:554/h264?ch=1", None),
            (
                "srt://[::1]:9000?streamid=x&latency=200",
                v4,
                "srt://192.0.2.7:9000?streamid=x&latency=200",
                None,
            ),
        ] {
            let found = target(url, address, &Options::default()).unwrap();
            assert_eq!(found.url, expected);
            assert_eq!(options(&found, "rtmp_tcurl").as_deref(), tc_url, "{url}");
        }
    }

    #[test]
    fn every_scheme_may_use_its_own_protocols_only() {
        for (url, format, protocols) in [
            ("rtmp://h/a/b", "flv", "rtmp,tcp"),
            ("rtmps://h/a/b", "flv", "rtmps,tls,tcp"),
            ("rtsp://h/a", "rtsp", "tcp"),
            ("srt://h:1", "mpegts", "srt"),
        ] {
            let found = target(url, None, &Options::default()).unwrap();
            assert_eq!(
                (found.format, options(&found, "protocol_whitelist").as_deref()),
                (format, Some(protocols))
            );
        }
    }

    #[test]
    fn certificates_are_looked_at_and_by_whose_word_can_be_said() {
        let ours = Options { authorities: Some("/etc/ours.pem".into()), ..Options::default() };
        for (url, given, verify, file) in [
            ("rtmps://h/a/b", &Options::default(), Some("1"), None),
            ("rtmps://h/a/b", &ours, Some("1"), Some("/etc/ours.pem")),
            ("rtmp://h/a/b", &ours, None, None),
        ] {
            let found = target(url, None, given).unwrap();
            assert_eq!(options(&found, "tls_verify").as_deref(), verify, "{url}");
            assert_eq!(options(&found, "ca_file").as_deref(), file, "{url}");
        }
    }

    #[test]
    fn what_is_not_a_live_address_is_refused() {
        for url in [
            "",
            "rtmp",
            "file:///etc/passwd",
            "/etc/passwd",
            "http://h/a",
            "concat:rtmp://h/a",
            "rtmpt://h/a",
            "rtmp://",
            "rtmp:///a",
            "rtmp://h:0/a",
            "rtmp://h:99999/a",
            "rtmp://h:x/a",
            "rtmp://h/a b",
            "rtmp://h/a\n",
            "rtmp://h/a listen=1",
            "udp://h:1",
            "srt://h:1?mode=listener",
            "srt://h:1?mode=rendezvous",
            "srt://h:1?listen_timeout=1",
            "srt://h:1?localport=1",
        ] {
            assert!(matches!(target(url, None, &Options::default()), Err(Error::Address(_))), "{url}");
        }
    }
}
