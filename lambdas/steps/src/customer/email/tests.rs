use super::*;
use crate::customer::finding::Weight;

/// As written, normal form, and source: public bug reports in which an address was refused that mail reaches. Names
/// are made up.
const TAKEN: &[(&str, &str, &str)] = &[
    (
        "try..this..0511@docomo.ne.jp",
        "try..this..0511@docomo.ne.jp",
        "https://github.com/PHPMailer/PHPMailer/issues/418",
    ),
    ("xxx.yyy.@docomo.ne.jp", "xxx.yyy.@docomo.ne.jp", "https://github.com/exceedone/exment/issues/800"),
    (
        "\"xxx.yyy.\"@docomo.ne.jp",
        "\"xxx.yyy.\"@docomo.ne.jp",
        "https://github.com/exceedone/exment/issues/800",
    ),
    ("hoge.@example.com", "hoge.@example.com", "https://github.com/EC-CUBE/ec-cube/issues/1325"),
    ("o'brien@example.com", "o'brien@example.com", "https://github.com/mailgun/flanker/issues/40"),
    ("test@umläut.com", "test@umläut.com", "https://github.com/K-and-R/email_validator/issues/87"),
    (
        "test@xn--umlut-ira.com",
        "test@xn--umlut-ira.com",
        "https://github.com/K-and-R/email_validator/issues/87",
    ),
    ("john+2@doe.com", "john+2@doe.com", "https://github.com/mikeerickson/validatorjs/issues/435"),
    ("ana@q.com", "ana@q.com", "https://github.com/victorjonsson/jQuery-Form-Validator/issues/148"),
    ("smth@a.domain.ee", "smth@a.domain.ee", "https://github.com/internetee/registry/issues/2959"),
    (
        "valid.email@email.photography",
        "valid.email@email.photography",
        "https://github.com/spree/spree/pull/7880",
    ),
    (
        "demo@example.online",
        "demo@example.online",
        "https://github.com/jadKhoury1/simple-body-validator/issues/26",
    ),
    ("\"odd user\"@example.com", "\"odd user\"@example.com", "https://github.com/axllent/mailpit/issues/731"),
    (
        "\"foo@bar\"@example.com",
        "\"foo@bar\"@example.com",
        "https://github.com/egulias/EmailValidator/issues/133",
    ),
    (
        "\"foo..bar\"@example.com",
        "\"foo..bar\"@example.com",
        "https://github.com/jakartaee/mail-api/pull/398",
    ),
    ("josé@example.com", "josé@example.com", "https://github.com/dahlia/upyo/issues/45"),
    ("mason@日本.com", "mason@日本.com", "https://github.com/ansman/validate.js/issues/334"),
    ("ایمیل@جیمیل.کام", "ایمیل@جیمیل.کام", "https://github.com/fredeil/email-validator.dart/issues/54"),
    (
        "somename@ｇｍａｉｌ.com",
        "somename@gmail.com",
        "https://github.com/validatorjs/validator.js/issues/343",
    ),
    ("larry@gmail.com. ", "larry@gmail.com", "https://github.com/PolymerElements/gold-email-input/issues/70"),
    ("foo@example.com ", "foo@example.com", "https://github.com/auth0/lock/issues/223"),
    ("cont-act@kotools.org", "cont-act@kotools.org", "https://github.com/kotools/types/issues/583"),
    ("lloyd+-@example.com", "lloyd+-@example.com", "https://github.com/afair/email_address/issues/35"),
    ("ana_@example.com", "ana_@example.com", "https://github.com/dotnet/docs/issues/20033"),
    ("a/b@domain.com", "a/b@domain.com", "https://github.com/JoshData/python-email-validator/issues/63"),
    (
        "------------------@ab.org",
        "------------------@ab.org",
        "https://github.com/RohanNagar/jmail/issues/136",
    ),
    ("ana@vip.163.com", "ana@vip.163.com", "https://github.com/manishsaraan/email-validator/pull/6"),
    ("ana@9online.fr", "ana@9online.fr", "https://github.com/ISCPIF/OpenPortability/issues/59"),
    (
        "example@atlanta.k12.ga.us",
        "example@atlanta.k12.ga.us",
        "https://github.com/colinhacks/zod/issues/2154",
    ),
    ("me@y.z.co.jp", "me@y.z.co.jp", "https://github.com/colinhacks/zod/issues/2154"),
];

/// Forms of our own: as written, normal form.
const NORMAL: &[(&str, &str)] = &[
    ("taro..yamada@docomo.ne.jp", "taro..yamada@docomo.ne.jp"),
    (".abc.@ezweb.ne.jp", ".abc.@ezweb.ne.jp"),
    ("用户@例え.jp", "用户@例え.jp"),
    ("ana@例え。jp", "ana@例え.jp"),
    ("ana＠example。com", "ana@example.com"),
    ("Ana.Torres@Example.COM", "Ana.Torres@example.com"),
    ("Ana Torres <ana@example.com>", "ana@example.com"),
    ("\"Torres, Ana\" <Ana@example.com>", "Ana@example.com"),
    ("<ana@example.com>", "ana@example.com"),
    ("mailto:ana@example.com", "ana@example.com"),
    ("MAILTO:ana@example.com?subject=Order", "ana@example.com"),
    ("mailto:mailto:ana@example.com", "ana@example.com"),
    ("\u{a0}ana @ example.com\u{a0}", "ana@example.com"),
    ("\"a b\"@example.com", "\"a b\"@example.com"),
    ("a@b.cc", "a@b.cc"),
    ("email: ana@example.com", "ana@example.com"),
    ("E-mail:ana@example.com", "ana@example.com"),
    ("'ana@example.com'", "ana@example.com"),
    ("\"ana@example.com\"", "ana@example.com"),
    ("“ana@example.com”", "ana@example.com"),
    ("ana@example.com,", "ana@example.com"),
    ("ana@example.com ;", "ana@example.com"),
    ("ana@example.com/", "ana@example.com"),
    ("ana@example.com>", "ana@example.com"),
    ("ana@example.com (work)", "ana@example.com"),
    ("E-mail: \"Ana\" <'ana@example.com'> (work).", "ana@example.com"),
    ("ana@example .com", "ana@example.com"),
    ("!#$%&'*+-/=?^_`{|}~@example.org", "!#$%&'*+-/=?^_`{|}~@example.org"),
];

fn weight(email: &str) -> Option<Weight> {
    finding(&normal(email)).map(|finding| finding.weight)
}

#[test]
fn addresses_of_public_bug_reports_are_taken_without_a_doubt() {
    for (written, expected, source) in TAKEN {
        assert_eq!(normal(written), *expected, "{source}");
        assert_eq!(weight(written), None, "{written} {source}");
    }
}

#[test]
fn an_address_is_kept_alone_with_its_domain_in_lower_case() {
    for (written, expected) in NORMAL {
        assert_eq!(normal(written), *expected);
        assert_eq!(weight(written), None, "{written}");
    }
}

#[test]
fn what_mail_is_unlikely_to_reach_is_a_doubt() {
    for written in [
        "3327156@example", // https://github.com/jstedfast/EmailValidation/issues/6
        "user@internal_exchange",
        "mail@domain..com",  // https://github.com/micke/valid_email2/issues/17
        "a@b@c@example.com", // https://github.com/validatorjs/validator.js/issues/2524
        "e.adjei@lloydsbg_workday.example.com", // https://github.com/Perl-Email-Project/Email-Valid/issues/48
        "1@1.1",             // https://github.com/egulias/EmailValidator/issues/337
        "ana@[192.0.2.1]",
        "ana@192.0.2.1",
        "ana@[IPv6:2001:db8::1]",
        "ana torres@example.com",
        "ana@exam ple.com",
        "ana,luis@example.com",
        "ana@example.com, luis@example.com",
        "ana@example.com; luis@example.com",
        "ana@example,com",
        "ana@-example.com",
        "ana@example-.com",
        "ana@.example.com",
        ".@example.com",
        "..@example.com",
        "a@b.c",
        &format!("{}@example.com", "a".repeat(65)),
    ] {
        assert_eq!(weight(written), Some(Weight::Doubt), "{written}");
    }
}

#[test]
fn what_has_no_mailbox_or_no_domain_is_refused() {
    for written in [
        "",
        " ",
        "ana",
        "@",
        "@example.com",
        "ana@",
        "ana@.",
        "ana@ . ",
        " @example.com",
        "ana.example.com",
        "mailto:",
    ] {
        assert_eq!(weight(written), Some(Weight::Refusal), "{written}");
    }
}

/// <https://github.com/python/cpython/pull/19007>
#[test]
fn a_line_break_does_not_reach_a_header() {
    for written in [
        "ana@example.com\r\nBcc: luis@example.com",
        "ana\n@example.com",
        "\"ana\r\nBcc: luis\"@example.com",
        "ana@example.com\u{85}x",
        "ana@example.com\u{2028}x",
        "Ana\r\n <ana@example.com>",
        "ana@example.com\n",
        "ana@exam\0ple.com",
    ] {
        let email = normal(written);
        let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        assert!(!email.contains(breaks), "{email:?}");
    }
}

#[test]
fn a_normal_form_is_one() {
    let forms = TAKEN.iter().map(|(written, ..)| *written).chain(NORMAL.iter().map(|(written, _)| *written));
    for written in forms.chain([
        "<<ana@example.com>>",
        "a <b@c <d@e.f>>",
        "ana@example.com. . ",
        "ana@example.com/. (a) .",
        "email:mailto:ana@example.com>;",
        "''@'",
        "(@)",
        "mailto:<a@b.c>?x@y",
    ]) {
        let once = normal(written);
        assert_eq!(normal(&once), once, "{written}");
    }
}

#[test]
fn a_message_does_not_repeat_the_address() {
    for written in
        ["secret", "secret@domain", "secret word@example.com", "secret@[192.0.2.1]", "secret@-a.com"]
    {
        assert!(finding(written).is_some_and(|finding| !finding.message.contains("secret")), "{written}");
    }
}
