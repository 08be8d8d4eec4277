"""What can be known of the Gradle project without Gradle: versions that go together, and sources that are its own."""

import re

from junit import ANDROID

# The smallest Gradle of each release of the Android Gradle Plugin that this project may name, by Google's table.
GRADLE = {"8.7": "8.9"}


def read(name):
    return (ANDROID / name).read_text("utf-8")


def test_the_wrapper_pins_the_gradle_that_the_plugin_wants():
    plugin = re.search(r"id 'com\.android\.application' version '(\d+\.\d+)\.\d+'", read("build.gradle"))[1]
    wrapper = dict(re.findall(r"^(\w+)=(.*)$", read("gradle/wrapper/gradle-wrapper.properties"), re.MULTILINE))
    assert wrapper["distributionUrl"].endswith(f"/gradle-{GRADLE[plugin]}-bin.zip")
    assert re.fullmatch("[0-9a-f]{64}", wrapper["distributionSha256Sum"])


def test_the_stubs_do_not_take_their_own_build_folder_in():
    text = read("stubs/build.gradle")
    assert "srcDirs = ['.']" in text and "include 'com/**'" in text
    sources = [path.relative_to(ANDROID / "stubs") for path in (ANDROID / "stubs/com").rglob("*.java")]
    assert len(sources) == 6 and {path.parts[0] for path in sources} == {"com"}
