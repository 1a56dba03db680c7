"""The raw material of the sample: homes, people's names, languages and resources. Data only."""
# ruff: noqa: RUF001 - names in many scripts look like others: that is their point

from typing import Final, NamedTuple

from pipeline.contract.calendar import SECOND_US


class Home(NamedTuple):
    """Where a workspace is: hours ahead of UTC, the offset in its logs' timestamps, and names of its members."""

    hours_ahead: float
    offset: str
    names: str

    @property
    def ahead_us(self) -> int:
        """Return how far its clocks are ahead of UTC, in microseconds."""
        return int(self.hours_ahead * 3_600 * SECOND_US)

    @property
    def written_ahead_us(self) -> int:
        """Return how far the timestamps in its logs are ahead of UTC, in microseconds, as their offset says."""
        return 0 if self.offset == "Z" else self.ahead_us


HOMES: Final = (
    Home(9, "+09:00", "김서연, 이도윤, 박하은, 최준호, 정유진, 강민재, 윤지우, 한소희, Daniel Lim"),
    Home(-8, "Z", "José Núñez, Chloë Ståhl, Ava Thompson, Marcus O’Neill, Priya Raman, Zoë Müller-Reyes, Tyler Brooks"),
    Home(1, "Z", "Łukasz Żółć, Amélie Dürrenmatt, Søren Åkesson, Jürgen Weiß, Nađa Đurić, Óscar Peña, Đặng Thị Hồng"),
    Home(9, "+09:00", "佐藤 美咲, 鈴木 蓮, 高橋 陽菜, 田中 大輝, 渡辺 さくら, ヤマモト ケン, 中村 悠"),
    Home(5.5, "Z", "अनन्या शर्मा, रोहन मेहता, प्रिया नायर, கார்த்திக் ராஜன், আরিফ হোসেন, Vikram Iyer"),
    Home(2, "+02:00", "ليلى حداد, عمر الفاروق, نور الدين, סיוון לוי, Ελένη Παπαδοπούλου, Aylin Yıldız"),
    Home(3, "Z", "Анна Кузнецова, Олександр Шевченко, Мария Петрова, ნინო გელაშვილი, Արամ Պետրոսյան"),
    Home(-3, "-03:00", "João Gonçalves, Inês Araújo, Thaís Conceição, Matías Ibáñez, Beatriz Falcão, Caio Sant’Anna"),
    Home(8, "+08:00", "王芳, 李伟, 陳怡君, 林志豪, สมชาย ใจดี, Nguyễn Văn Đức, Wei Ling 🎧"),
    Home(5.75, "+05:45", "सीता गुरुङ, बिकाश श्रेष्ठ, पद्मा लामा, Maya Tamang"),
)

# As producers write them, in any case and with `-` or `_`. Each workspace uses some of them.
LOCALES: Final = (
    "en-US ko-KR ja-JP es-ES en_GB de-DE fr-FR pt-BR zh-Hans-CN es-419 hi-IN ar-SA id-ID vi_VN it-IT tr-TR pl-PL ru-RU "
    "uk-UA th-TH nl-NL zh-Hant-TW sv-SE bn-BD ta-IN he-IL el-GR cs-CZ fil-PH ne-NP fr_CA ro-RO hu-HU fi-FI "
    "sr-Latn-RS ka-GE"
)

# What producers write for text without a language; all three mean untagged.
UNTAGGED: Final = (None, "", "und")


class Theme(NamedTuple):
    """One action: its share of the events, its kinds, and the type and names of its resources.

    The metadata texts lack the closing brace, because each record adds members of its own.
    """

    share: float
    kinds: str
    resource_type: str
    resource_names: tuple[str, ...]
    metadata: tuple[str, ...]


THEMES: Final = {
    "workflow_run": Theme(
        0.34,
        "workflow_execution workflow_execution scheduled_execution api_execution test_execution",
        "workflow",
        (
            *("Onboarding video, all markets", "주간 뉴스레터 낭독", "製品紹介ナレーション", "Lección 4: los números"),
            *("Podcast intro — “Morning Ⅱ”", "دليل المستخدم الصوتي", "Аудиогид: Эрмитаж", "दैनिक समाचार", "客服語音 v3"),
            *("Kundenservice-Ansagen", "Trailer A/B voices", "Hörbuch Kapitel 12", "Safety briefing (cabin)"),
        ),
        (
            '{"trigger":"manual","nodes":6,"client":{"name":"web","version":"2.41.0"},"speed":1.0',
            '{"trigger":"schedule","nodes":11,"cron":"0 6 * * 1-5","priority":"low","speed":1.05',
            '{"nodes":4,"trigger":"api","client":{"name":"sdk-python","version":"0.16.1"},"tags":["dub","q4"]',
            '{"trigger":"manual","nodes":23,"note":"최종본 — 검수 완료","parallel":true,"client":{"name":"web"}',
            '{"trigger":"webhook","source":"cms","nodes":9,"retry_of":null,"limits":{"credits":1.5e4}',
        ),
    ),
    "voice_generated": Theme(
        0.44,
        "text_to_speech text_to_speech text_to_speech regenerated_take pronunciation_fix preview",
        "voice",
        (
            *("Nova", "Hae-won 해원", "Mizuki 美月", "Élodie", "Björn", "Zahra زهرة", "Дарья", "आरव", "Old Sailor"),
            *("Lucía", "Narrator \\ calm", 'Radio "drive time"'),
        ),
        (
            '{"model":"clear-3","format":"mp3","sample_rate_hz":44100,"style":{"stability":0.50,"warmth":0.7}',
            '{"format":"wav","model":"expressive-2","sample_rate_hz":48000,"ssml":true,"takes":3',
            '{"model":"clear-3","pronunciation":[{"word":"Worcester","as":"ˈwʊstər"}],"format":"ogg"',
            '{"model":"lite-1","format":"mp3","preview":true,"client":{"name":"web","version":"2.41.0"}',
        ),
    ),
    "template_applied": Theme(
        0.09,
        "gallery_template team_template duplicated_template",
        "template",
        ("Audiobook chapter", "Dubbing: 6 languages", "IVR menu", "뉴스 브리핑", "Museum guide", "ショート動画"),
        (
            '{"category":"education","nodes":12,"languages":["en-US","ko-KR","ja-JP"],"modified":false',
            '{"category":"marketing","nodes":5,"from_gallery":true,"author":"Équipe studio"',
        ),
    ),
    "member_invited": Theme(
        0.04,
        "email_invite link_invite resent_invite",
        "member",
        ("new viewer", "new editor", "새 멤버"),
        (
            '{"role":"editor","domain":"example.com","seats_left":4',
            '{"role":"viewer","domain":"example.org","message":"ようこそ","seats_left":0',
        ),
    ),
    "api_key_created": Theme(
        0.03,
        "api_key rotated_api_key",
        "api_key",
        ("CI", "publishing server", "운영 서버", "laptop"),
        ('{"scopes":["workspace:read"],"expires_in_days":90', '{"scopes":["workspace:read","voices:read"]'),
    ),
    "settings_changed": Theme(
        0.06,
        "workspace_settings dictionary_entry notification_preferences billing_contact",
        "workspace",
        ("Pronunciation dictionary", "Notifications", "Default voice", "발음 사전"),
        (
            '{"changes":[{"key":"default_voice","from":"Nova","to":"Björn"}],"source":"web"',
            '{"changes":[{"key":"dictionary","added":3,"removed":0}],"locale":"ko-KR"',
        ),
    ),
}
