package android.os;

/** Of an Android that does not say how hot the phone is. */
public class PowerManager {}
