/* QR codes as inline SVG. */
#include "view/qr.h"

#include <qrencode.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

enum { QUIET = 4, SVG_MAX = 256 << 10 };

char *
qr_svg(void *owner, const char *text, const char *label)
{
	QRcode *code = QRcode_encodeString(
	    text, 0, QR_ECLEVEL_M, QR_MODE_8, /* keep case */ 1);
	struct buf *b;
	int side;

	if (!code)
		return NULL;
	b = buf_new(owner, SVG_MAX);
	side = code->width + 2 * QUIET;
	buf_fmt(b,
	    "<svg class=\"qr\" viewBox=\"0 0 %d %d\" width=\"200\" "
	    "height=\"200\" role=\"img\" shape-rendering=\"crispEdges\" "
	    "aria-label=\"",
	    side, side);
	buf_html_text(b, label, strlen(label));
	buf_fmt(b, "\"><path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/><path d=\"",
	    side, side);
	for (int y = 0; y < code->width; y++) {
		for (int x = 0, n; x < code->width; x += n + !n) {
			for (n = 0; x + n < code->width &&
			     code->data[y * code->width + x + n] & 1;)
				n++;
			if (n)
				buf_fmt(b, "M%d %dh%dv1H%dz", x + QUIET,
				    y + QUIET, n, x + QUIET);
		}
	}
	buf_text(b, "\"/></svg>");
	QRcode_free(code);
	return b->data;
}
