package com.baidu.paddle.lite;

/** Compile stub; see README.md. */
public class ConfigBase {}
