package io.github.spike4j.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;

/**
 * Python's numbers: {@code int} is a Long, or a BigInteger where it does not fit one; {@code float} is a Double; {@code bool} counts as
 * 0 or 1.
 */
final class Numbers {
    private static final BigInteger MIN_LONG = BigInteger.valueOf(Long.MIN_VALUE);
    private static final BigInteger MAX_LONG = BigInteger.valueOf(Long.MAX_VALUE);

    private Numbers() {}

    static boolean isNumber(Object v) {
        return v instanceof Long || v instanceof Double || v instanceof Boolean || v instanceof BigInteger;
    }

    static boolean isInteger(Object v) {
        return v instanceof Long || v instanceof Boolean || v instanceof BigInteger;
    }

    /** The one form of an integer. */
    static Object integer(BigInteger i) {
        if (i.bitLength() > Budget.MAX_BITS) throw new TemplateException("an integer of " + i.bitLength() + " bits is too large");
        return i.compareTo(MIN_LONG) >= 0 && i.compareTo(MAX_LONG) <= 0 ? (Object) i.longValue() : i;
    }

    static BigInteger big(Object integer) {
        return switch (integer) {
            case Long l -> BigInteger.valueOf(l);
            case Boolean b -> b ? BigInteger.ONE : BigInteger.ZERO;
            case BigInteger i -> i;
            default -> throw new IllegalArgumentException(String.valueOf(integer));
        };
    }

    static double toDouble(Object number) {
        if (number instanceof Double d) return d;
        if (number instanceof Long l) return l;
        double d = big(number).doubleValue();
        if (Double.isInfinite(d)) throw new TemplateException("int too large to convert to float");
        return d;
    }

    /** An integer as a Long, clamped; for sizes, counts and indexes. */
    static long clamp(Object integer) {
        if (integer instanceof Long l) return l;
        var i = big(integer);
        return i.bitLength() < 64 ? i.longValue() : i.signum() < 0 ? Long.MIN_VALUE : Long.MAX_VALUE;
    }

    /** Compares two numbers exactly; null if one is NaN. */
    static Integer compare(Object a, Object b) {
        if (a instanceof Long x && b instanceof Long y) return Long.compare(x, y);
        if (a instanceof Double || b instanceof Double) {
            double x = a instanceof Double d ? d : Double.NaN;
            double y = b instanceof Double d ? d : Double.NaN;
            if (a instanceof Double && Double.isNaN(x) || b instanceof Double && Double.isNaN(y)) return null;
            if (a instanceof Double && b instanceof Double) return x < y ? -1 : x > y ? 1 : 0;
            if (Double.isInfinite(x)) return x > 0 ? 1 : -1;
            if (Double.isInfinite(y)) return y > 0 ? -1 : 1;
            return decimal(a).compareTo(decimal(b));
        }
        return big(a).compareTo(big(b));
    }

    private static BigDecimal decimal(Object number) {
        return number instanceof Double d ? new BigDecimal(d) : new BigDecimal(big(number));
    }

    static Object add(Object a, Object b) {
        if (a instanceof Double || b instanceof Double) return toDouble(a) + toDouble(b);
        if (a instanceof Long x && b instanceof Long y) {
            long sum = x + y;
            if (((x ^ sum) & (y ^ sum)) >= 0) return sum;
        }
        return integer(big(a).add(big(b)));
    }

    static Object subtract(Object a, Object b) {
        if (a instanceof Double || b instanceof Double) return toDouble(a) - toDouble(b);
        return integer(big(a).subtract(big(b)));
    }

    static Object multiply(Object a, Object b) {
        if (a instanceof Double || b instanceof Double) return toDouble(a) * toDouble(b);
        return integer(big(a).multiply(big(b)));
    }

    static Object divide(Object a, Object b) {
        boolean real = a instanceof Double || b instanceof Double;
        if (isZero(b)) throw new TemplateException(real ? "float division by zero" : "division by zero");
        if (real || big(a).bitLength() <= 53 && big(b).bitLength() <= 53) return toDouble(a) / toDouble(b);
        return finite(new BigDecimal(big(a)).divide(new BigDecimal(big(b)), new MathContext(60, RoundingMode.DOWN)).doubleValue());
    }

    private static Double finite(double d) {
        if (Double.isInfinite(d)) throw new TemplateException("integer division result too large for a float");
        return d;
    }

    static Object floorDivide(Object a, Object b) {
        if (a instanceof Double || b instanceof Double) {
            double x = toDouble(a);
            double y = toDouble(b);
            if (y == 0) throw new TemplateException("float floor division by zero");
            double quotient = (x - modulo(x, y)) / y;
            double floor = Math.floor(quotient);
            return quotient - floor > 0.5 ? floor + 1 : floor;
        }
        if (isZero(b)) throw new TemplateException("integer division or modulo by zero");
        var parts = big(a).divideAndRemainder(big(b));
        return integer(parts[1].signum() != 0 && parts[1].signum() != big(b).signum() ? parts[0].subtract(BigInteger.ONE) : parts[0]);
    }

    static Object modulo(Object a, Object b) {
        if (a instanceof Double || b instanceof Double) {
            if (toDouble(b) == 0) throw new TemplateException("float modulo");
            return modulo(toDouble(a), toDouble(b));
        }
        if (isZero(b)) throw new TemplateException("integer modulo by zero");
        var rest = big(a).remainder(big(b));
        return integer(rest.signum() != 0 && rest.signum() != big(b).signum() ? rest.add(big(b)) : rest);
    }

    private static double modulo(double x, double y) {
        double rest = x % y;
        if (rest == 0) return Math.copySign(0, y);
        return rest < 0 != y < 0 ? rest + y : rest;
    }

    static Object power(Object a, Object b, Budget budget) {
        if (a instanceof Double || b instanceof Double || big(b).signum() < 0) {
            double x = toDouble(a);
            double y = toDouble(b);
            if (x == 0 && y < 0) throw new TemplateException("0.0 cannot be raised to a negative power");
            double r = Math.pow(x, y);
            if (Double.isNaN(r) && !Double.isNaN(x) && !Double.isNaN(y)) {
                throw new TemplateException("a negative number cannot be raised to a fractional power: complex numbers are not supported");
            }
            if (Double.isInfinite(r) && !Double.isInfinite(x) && !Double.isInfinite(y)) throw new TemplateException("Numerical result out of range");
            return r;
        }
        var base = big(a);
        if (base.bitLength() <= 1 && base.abs().bitLength() <= 1) {
            boolean odd = big(b).testBit(0);
            return base.signum() == 0 ? (big(b).signum() == 0 ? 1L : 0L) : base.signum() > 0 || !odd ? 1L : -1L;
        }
        long exponent = clamp(b);
        if (exponent > Budget.MAX_BITS || (base.abs().bitLength() - 1) * exponent > Budget.MAX_BITS) {
            throw new TemplateException("an integer of more than " + Budget.MAX_BITS + " bits is too large");
        }
        budget.spend(1 + exponent / 64);
        return integer(base.pow((int) exponent));
    }

    static Object negate(Object v) {
        return v instanceof Double d ? (Object) (-d) : integer(big(v).negate());
    }

    static Object abs(Object v) {
        return v instanceof Double d ? (Object) Math.abs(d) : integer(big(v).abs());
    }

    static boolean isZero(Object v) {
        return v instanceof Double d ? d == 0 : big(v).signum() == 0;
    }

    /** {@code repr} of a float: the fewest digits that read back the same. */
    static String repr(double d) {
        if (Double.isNaN(d)) return "nan";
        if (Double.isInfinite(d)) return d > 0 ? "inf" : "-inf";
        if (d == 0) return 1 / d < 0 ? "-0.0" : "0.0";
        var shortest = new BigDecimal(Double.toString(Math.abs(d))).stripTrailingZeros();
        if (shortest.precision() == 2) { // Java writes two digits where one would do
            var one = shortest.round(new MathContext(1, RoundingMode.HALF_EVEN));
            if (one.doubleValue() == Math.abs(d)) shortest = one.stripTrailingZeros();
        }
        var digits = shortest.unscaledValue().toString();
        int exponent = digits.length() - shortest.scale() - 1;
        var out = new StringBuilder(d < 0 ? "-" : "");
        if (exponent < -4 || exponent >= 16) {
            out.append(digits.charAt(0));
            if (digits.length() > 1) out.append('.').append(digits, 1, digits.length());
            return out.append(exponent < 0 ? "e-" : "e+").append(Math.abs(exponent) < 10 ? "0" : "").append(Math.abs(exponent)).toString();
        }
        if (exponent < 0) return out.append("0.").append("0".repeat(-exponent - 1)).append(digits).toString();
        int whole = exponent + 1;
        if (digits.length() <= whole) return out.append(digits).append("0".repeat(whole - digits.length())).append(".0").toString();
        return out.append(digits, 0, whole).append('.').append(digits, whole, digits.length()).toString();
    }

    /** {@code int(text, base)}; null if it is none. */
    static Object parseInteger(String text, int base) {
        var s = Text.strip(text, null, true, true);
        boolean negative = s.startsWith("-");
        if (negative || s.startsWith("+")) s = s.substring(1);
        if (s.length() > 2 && s.charAt(0) == '0' && (base == 0 || base == 2 || base == 8 || base == 16)) {
            int prefix = "box".indexOf(s.charAt(1) | 0x20);
            int radix = prefix < 0 ? -1 : new int[] {2, 8, 16}[prefix];
            if (radix > 0 && (base == 0 || base == radix)) {
                s = s.charAt(2) == '_' ? s.substring(3) : s.substring(2);
                base = radix;
            }
        }
        if (base == 0) {
            if (s.length() > 1 && s.charAt(0) == '0' && !s.replace("_", "").matches("0{1,4000}")) return null;
            base = 10;
        }
        if (s.isEmpty() || s.startsWith("_") || s.endsWith("_") || s.contains("__") || s.length() > Budget.MAX_BITS / 3) return null;
        s = s.replace("_", "");
        for (int i = 0; i < s.length(); i++) {
            if (Character.digit(s.charAt(i), base) < 0) return null;
        }
        var value = new BigInteger(s, base);
        return integer(negative ? value.negate() : value);
    }

    /** {@code float(text)}; null if it is none. */
    static Double parseDouble(String text) {
        var s = Text.strip(text, null, true, true);
        var plain = Text.lower(s.startsWith("-") || s.startsWith("+") ? s.substring(1) : s);
        boolean negative = s.startsWith("-");
        switch (plain) {
            case "inf", "infinity" -> {
                return negative ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
            }
            case "nan" -> {
                return Double.NaN;
            }
            default -> { }
        }
        for (int i = 0; i < plain.length(); i++) {
            char c = plain.charAt(i);
            boolean digit = c >= '0' && c <= '9';
            boolean between = c == '_' && i > 0 && i + 1 < plain.length() && Character.isDigit(plain.charAt(i - 1)) && Character.isDigit(plain.charAt(i + 1));
            if (!digit && !between && c != '.' && c != 'e' && c != '+' && c != '-') return null;
        }
        try {
            return Double.valueOf(s.replace("_", ""));
        } catch (NumberFormatException e) {
            return null;
        }
    }

    /** {@code int(float)}. */
    static Object truncate(double d) {
        if (Double.isNaN(d)) throw new TemplateException("cannot convert float NaN to integer");
        if (Double.isInfinite(d)) throw new TemplateException("cannot convert float infinity to integer");
        return integer(new BigDecimal(d).toBigInteger());
    }

    /** {@code round(number, digits)}: half to even, on the exact value. */
    static Object round(Object number, long digits) {
        if (number instanceof Double d) {
            if (Double.isNaN(d) || Double.isInfinite(d) || digits > 330) return d;
            if (digits < -330) return Math.copySign(0.0, d);
            double r = new BigDecimal(d).setScale((int) digits, RoundingMode.HALF_EVEN).doubleValue();
            return r == 0 ? Math.copySign(0.0, d) : (Object) r;
        }
        if (digits >= 0) return integer(big(number));
        if (digits < -Budget.MAX_BITS) return 0L;
        return integer(new BigDecimal(big(number)).setScale((int) digits, RoundingMode.HALF_EVEN).toBigInteger());
    }
}
