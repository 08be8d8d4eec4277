package dev.ppedge.demo.engine;

import android.content.Context;
import android.content.pm.PackageManager;
import android.os.Build;
import android.os.PowerManager;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What reports say about the phone. What is newer than the oldest Android that the app runs on is asked by reflection,
 * because the app is compiled against that one.
 */
public final class PhoneInfo {
    private static final int API_THERMAL = 29;
    private static final int API_SOC = 31;
    private static final String[] THERMAL = {
        "none", "light", "moderate", "severe", "critical", "emergency", "shutdown"
    };

    private PhoneInfo() {}

    /** Returns the phone's and the app's names and versions. */
    public static Map<String, Object> of(Context context) {
        Map<String, Object> told = new LinkedHashMap<String, Object>();
        told.put("app", version(context));
        told.put("model", Build.MANUFACTURER + " " + Build.MODEL);
        told.put("soc", soc());
        told.put("abi", Build.SUPPORTED_ABIS.length == 0 ? "" : Build.SUPPORTED_ABIS[0]);
        told.put("android", Build.VERSION.RELEASE);
        told.put("sdk", Build.VERSION.SDK_INT);
        told.put("cores", Runtime.getRuntime().availableProcessors());
        return told;
    }

    /** Returns the app's version. */
    public static String version(Context context) {
        try {
            return context.getPackageManager().getPackageInfo(context.getPackageName(), 0).versionName;
        } catch (PackageManager.NameNotFoundException error) {
            throw new IllegalStateException("an app knows itself", error);
        }
    }

    private static String soc() {
        if (Build.VERSION.SDK_INT >= API_SOC) {
            try {
                return String.valueOf(Build.class.getField("SOC_MODEL").get(null));
            } catch (ReflectiveOperationException error) {
                return Build.HARDWARE;
            }
        }
        return Build.HARDWARE;
    }

    /** Returns how hot the phone is: {@code none} to {@code shutdown}; null before Android 10, which does not say. */
    static String thermal(Context context) {
        int level = thermalLevel(context);
        return level < 0 ? null : THERMAL[level];
    }

    /** Returns how hot the phone is, 0 (not at all) to 6 (it shuts down); -1 before Android 10, which does not say. */
    public static int thermalLevel(Context context) {
        if (Build.VERSION.SDK_INT < API_THERMAL) {
            return -1;
        }
        try {
            Object power = context.getSystemService(Context.POWER_SERVICE);
            int status = (Integer) PowerManager.class.getMethod("getCurrentThermalStatus").invoke(power);
            return status < THERMAL.length ? status : THERMAL.length - 1;
        } catch (ReflectiveOperationException error) {
            return -1;
        }
    }
}
