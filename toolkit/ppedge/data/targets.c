/* How close pixels are to the edges of a text region, for the threshold map of a DB detector.
 *
 * The same numbers as targets.py gives in NumPy: float, in the same order, nothing contracted.
 */

#include <math.h>

static double least(double a, double b) { return a < b ? a : b; }
static double most(double a, double b) { return a > b ? a : b; }

/* Narrow *from and *to to the x at which |x * slope + offset| < bound, and a little more. */
static void narrow(double slope, double offset, double bound, double *from, double *to)
{
    bound += 1e-3; /* what the rounding of floats may be */
    if (fabs(slope) < 1e-12) {
        if (fabs(offset) > bound)
            *to = *from;
        return;
    }
    double a = (-bound - offset) / slope, b = (bound - offset) / slope;
    *from = most(*from, floor(least(a, b)));
    *to = least(*to, ceil(most(a, b)) + 1);
}

static void one_edge(float *closeness, int height, int width, double ax, double ay, double bx, double by,
                     double distance)
{
    double length = sqrt((bx - ax) * (bx - ax) + (by - ay) * (by - ay));
    double x0 = most(floor(least(ax, bx) - distance), 0), x1 = least(ceil(most(ax, bx) + distance) + 1, width);
    double y0 = most(floor(least(ay, by) - distance), 0), y1 = least(ceil(most(ay, by) + distance) + 1, height);
    if (length == 0 || x0 >= x1 || y0 >= y1)
        return;
    double ux = (bx - ax) / (length * distance), uy = (by - ay) / (length * distance);
    double half = length / (2 * distance), middle = ax * ux + ay * uy + half, aside = ay * ux - ax * uy;
    const float fux = (float)ux, fuy = (float)uy, fhalf = (float)half;
    const float fmiddle = (float)middle, faside = (float)aside;
    for (int y = (int)y0; y < (int)y1; y++) {
        double from = x0, to = x1;
        narrow(-uy, y * ux - aside, 1, &from, &to);
        narrow(ux, y * uy - middle, 1 + half, &from, &to);
        float *row = closeness + (long)y * width;
        const float along_y = (float)y * fuy, across_y = (float)y * fux;
        const int end = (int)to;
        for (int x = (int)from; x < end; x++) {
            float beyond = fabsf(((float)x * fux - fmiddle) + along_y) - fhalf;
            beyond = beyond > 0 ? beyond : 0;
            float across = ((float)x * -fuy - faside) + across_y;
            float close = 1 - sqrtf(beyond * beyond + across * across);
            row[x] = close > row[x] ? close : row[x];
        }
    }
}

/* Raise closeness (height, width) to 1 - (distance to the nearest edge) / distance where it is less.
 * corners: (count, 2), x then y. */
void raise_closeness(float *closeness, int height, int width, const double *corners, int count, double distance)
{
    for (int k = 0; k < count; k++) {
        const double *a = corners + 2 * k, *b = corners + 2 * ((k + 1) % count);
        one_edge(closeness, height, width, a[0], a[1], b[0], b[1], distance);
    }
}
