/* QR codes as inline SVG. */
#ifndef GNOMON_VIEW_QR_H
#define GNOMON_VIEW_QR_H

/* The code of a text (ISO/IEC 18004, error correction M) with its quiet zone, as
 * an SVG that is black on white in every theme, for cameras need that; NULL when
 * the text is too long. label says what it is. */
char *qr_svg(void *owner, const char *text, const char *label);

#endif
