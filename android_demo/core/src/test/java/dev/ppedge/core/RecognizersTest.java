package dev.ppedge.core;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.Before;
import org.junit.Test;

/** A bundle of two recognisers: plates, 32 pixels high, and en, 48 pixels high. */
public final class RecognizersTest {
    private final File bundle = new File(System.getProperty("ppedge.bundle"));

    private String json;
    private Manifest manifest;
    private RecognizerEntry plates;
    private RecognizerEntry en;

    @Before
    public void readManifest() throws Exception {
        byte[] bytes = Files.read(new File(bundle, "manifest.json"), "manifest.json", 1 << 24);
        json = new String(bytes, StandardCharsets.UTF_8);
        manifest = Manifest.read(bytes);
        plates = manifest.recognizer("plates");
        en = manifest.recognizer("en");
    }

    private CharacterSet characters(RecognizerEntry of) throws Exception {
        return of.characters(Files.read(of.charset.check(bundle), of.charset.path, 1 << 20));
    }

    private GoldenCase golden(RecognizerEntry of) throws Exception {
        return GoldenCase.read(bundle, manifest.golden.get(0), of, new ImageIoReader());
    }

    private static String refused(String changed) {
        try {
            Manifest.read(changed);
        } catch (BundleException error) {
            assertEquals(Fault.CONTENT, error.fault());
            return error.getMessage();
        }
        fail("accepted");
        return null;
    }

    @Test
    public void eachHasWhatIsItsOwn() throws Exception {
        assertEquals(Arrays.asList("plates", "en"), manifest.names());
        assertEquals(manifest.recognizers.get(0), plates);
        assertNull(manifest.recognizer("chinese"));
        assertNull(manifest.recognizer(""));
        assertEquals("rec_plates.nb", plates.path);
        assertEquals("rec_en.nb", en.path);
        assertEquals("charset_en.txt", en.charset.path);
        assertEquals(32, plates.preprocess.height);
        assertEquals(48, en.preprocess.height);
        assertEquals(0.4, en.preprocess.mean, 0);
        assertEquals(5, en.classes);
        assertEquals(en.classes, characters(en).size());
        assertEquals("x", characters(en).character(1));
        assertEquals(en.optVersion, en.checkModel(bundle).optVersion);
    }

    @Test
    public void namesThatAreNoneAreRefused() {
        for (String name : new String[] {"PLATES", "plates", "", "../x", "a b", "-", "1234567890123456789012345"}) {
            String told = refused(json.replace("\"name\": \"en\"", "\"name\": \"" + name + "\""));
            assertTrue(told, told.contains("recognizers[1]: name is \"" + name + "\", not a name of its own"));
        }
        assertTrue(refused(json.replace("\"recognizers\": [", "\"recognizers\": [], \"x\": [")).contains("at least 1"));
        assertTrue(refused(json.replace("\"recognizers\"", "\"x\"")).contains("recognizers is missing"));
        assertTrue(refused(json.replace("\"schema\": 2", "\"schema\": 1")).contains("models: rec"));
    }

    @Test
    public void aCharacterSetOfAnotherIsRefusedByItsName() throws Exception {
        try {
            en.characters(Files.read(plates.charset.in(bundle), "charset_plates.txt", 1 << 20));
            fail("accepted");
        } catch (BundleException error) {
            assertTrue(error.getMessage(), error.getMessage().startsWith("charset_en.txt gives 27 classes"));
        }
    }

    @Test
    public void aGoldenPictureHasWhatEachRead() throws Exception {
        assertEquals("zyx", golden(en).lines.get(0).text.text);
        assertFalse(golden(plates).lines.get(0).text.text.equals("zyx"));
        assertEquals(48, golden(en).lines.get(0).recInput.size(2));
        Manifest renamed = Manifest.read(json.replace("\"name\": \"en\"", "\"name\": \"de\""));
        try {
            golden(renamed.recognizers.get(1));
            fail("accepted");
        } catch (BundleException error) {
            assertTrue(error.getMessage(), error.getMessage().contains("readings: de is not an object"));
        }
    }

    @Test
    public void everyStageGivesWhatPythonGaveWithEach() throws Exception {
        for (RecognizerEntry each : manifest.recognizers) {
            for (GoldenEntry entry : manifest.golden) {
                GoldenCase golden = GoldenCase.read(bundle, entry, each, new ImageIoReader());
                for (Check check : SelfTest.run(golden, manifest, each, characters(each), null, null, null, new Odds())) {
                    assertTrue(each.name + ", " + check.stage + ": " + check.detail, check.passed());
                }
            }
        }
    }

    @Test
    public void whatIsARecognisersIsToldOfIt() throws Exception {
        GoldenCase golden = golden(en);
        List<Check> checks = SelfTest.runRecognizer(golden, manifest, en, characters(en), null, new Odds());
        assertEquals(2, checks.size());
        for (Check check : checks) {
            assertEquals("en", check.recognizer);
            assertTrue(check.detail, check.passed());
        }
        float[] output = golden.lines.get(0).recOutput.data;
        for (int i = 0; i < output.length; i += en.classes) {
            output[i] += 5; // the blank, in each step
        }
        checks = SelfTest.runRecognizer(golden, manifest, en, characters(en), null, new Odds());
        assertTrue(checks.get(0).passed());
        assertFalse(checks.get(1).passed());
        for (Check check : SelfTest.run(golden(plates), manifest, plates, characters(plates), null, null, null, new Odds())) {
            assertEquals(check.stage.name().startsWith("REC_") ? "plates" : "", check.recognizer);
        }
    }

    @Test
    public void theOddsOfOneDoNotHideThoseOfAnother() {
        Odds odds = new Odds();
        for (int i = 0; i < Odds.FEWEST; i++) {
            odds.add(Stage.REC_NETWORK, "plates", 0);
            odds.add(Stage.REC_NETWORK, "en", 0.2);
        }
        List<Check> checks = odds.checks();
        assertEquals(2, checks.size());
        assertTrue(checks.get(0).passed() && checks.get(0).recognizer.equals("plates"));
        assertFalse(checks.get(1).passed());
        assertEquals("en", checks.get(1).recognizer);
    }

    /** Whatever stands in the part of the recognisers is accepted, or ends in a BundleException. */
    @Test
    public void malformedManifests() {
        String brief = json.replaceAll("(?s)\"files\": \\[.*?\\]", "\"files\": []").replaceAll(
                "(?s)\"chain\": \\[.*?\\n {3,5}\\]", "\"chain\": []");
        int refused = 0;
        for (int seed = 0; seed < 3000; seed++) {
            try {
                Manifest.read(FuzzTest.revalued(brief, new Random(seed)));
            } catch (BundleException expected) {
                refused++;
            } catch (Throwable other) {
                throw new AssertionError("seed " + seed + ": " + other, other);
            }
        }
        assertTrue(refused + " of 3000 refused", refused > 1000 && refused < 3000);
    }
}
