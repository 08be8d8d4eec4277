package dev.ppedge.demo;

import android.app.Activity;
import android.content.ClipData;
import android.content.ClipboardManager;
import android.content.Context;
import android.content.Intent;
import android.os.Build;
import android.view.MenuItem;
import android.widget.Toast;
import android.widget.Toolbar;
import dev.ppedge.demo.engine.Engine;

/** What all screens share: the bar, the way back, copying and sharing. */
abstract class Screen extends Activity {
    private static final int API_SYSTEM_SAYS_COPIED = 33;

    /** Shows a layout that has a bar. */
    final void show(int layout, boolean withWayBack) {
        setContentView(layout);
        Toolbar bar = (Toolbar) findViewById(R.id.bar);
        setActionBar(bar);
        getActionBar().setDisplayHomeAsUpEnabled(withWayBack);
    }

    final Engine engine() {
        return Engine.of(this);
    }

    @Override
    public boolean onOptionsItemSelected(MenuItem item) {
        if (item.getItemId() == android.R.id.home) {
            finish();
            return true;
        }
        return super.onOptionsItemSelected(item);
    }

    final void copy(String text) {
        ClipboardManager clipboard = (ClipboardManager) getSystemService(Context.CLIPBOARD_SERVICE);
        clipboard.setPrimaryClip(ClipData.newPlainText(getString(R.string.app_name), text));
        if (Build.VERSION.SDK_INT < API_SYSTEM_SAYS_COPIED) {
            say(R.string.copied);
        }
    }

    final void shareText(String text) {
        Intent send = new Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, text);
        startActivity(Intent.createChooser(send, null));
    }

    final void say(int text) {
        Toast.makeText(this, text, Toast.LENGTH_SHORT).show();
    }
}
