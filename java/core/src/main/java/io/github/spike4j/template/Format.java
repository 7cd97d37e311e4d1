package io.github.spike4j.template;

import io.github.spike4j.template.Values.Dict;
import io.github.spike4j.template.Values.Tuple;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;

/** Python's two ways to format: {@code "%d" % x} and {@code "{:d}".format(x)}. */
final class Format {
    private final Values values;
    private final Budget budget;
    /** Whether what is filled in is escaped: the format is {@link Values.Markup}. */
    private final boolean markup;

    Format(Values values, Budget budget, boolean markup) {
        this.values = values;
        this.budget = budget;
        this.markup = markup;
    }

    private String text(Object v) {
        return markup && !(v instanceof Values.Markup) ? Values.Markup.escape(values.text(v)) : values.text(v);
    }

    private String repr(Object v) {
        return markup ? Values.Markup.escape(values.repr(v)) : values.repr(v);
    }

    /** What follows the colon of a field, or the percent sign. */
    private record Spec(String fill, char align, char sign, boolean alternate, long width, char grouping, long precision, char type) {}

    /** {@code format % argument}. */
    String percent(String format, Object argument) {
        var out = new StringBuilder();
        var tuple = argument instanceof Tuple t ? t : null;
        int next = 0;
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%') {
                out.append(c);
                continue;
            }
            if (++i >= format.length()) throw new TemplateException("incomplete format");
            Object value = Arguments.ABSENT;
            if (format.charAt(i) == '(') {
                int close = format.indexOf(')', i);
                if (close < 0) throw new TemplateException("incomplete format key");
                if (!(argument instanceof Dict d)) throw new TemplateException("format requires a mapping");
                var key = format.substring(i + 1, close);
                if (!d.has(key)) throw new TemplateException(Text.quote(key));
                value = d.get(key);
                i = close + 1;
            }
            boolean left = false;
            boolean zero = false;
            boolean alternate = false;
            char sign = '-';
            for (; i < format.length() && "-+ #0".indexOf(format.charAt(i)) >= 0; i++) {
                switch (format.charAt(i)) {
                    case '-' -> left = true;
                    case '0' -> zero = true;
                    case '#' -> alternate = true;
                    case '+' -> sign = '+';
                    default -> sign = sign == '+' ? sign : ' ';
                }
            }
            long width = 0;
            if (i < format.length() && format.charAt(i) == '*') {
                width = star(argument, tuple, next++);
                left |= width < 0;
                width = Math.abs(width);
                i++;
            }
            for (; i < format.length() && Character.digit(format.charAt(i), 10) >= 0; i++) width = number(width, format.charAt(i));
            long precision = -1;
            if (i < format.length() && format.charAt(i) == '.') {
                precision = 0;
                if (++i < format.length() && format.charAt(i) == '*') {
                    precision = Math.max(0, star(argument, tuple, next++));
                    i++;
                }
                for (; i < format.length() && Character.digit(format.charAt(i), 10) >= 0; i++) precision = number(precision, format.charAt(i));
            }
            while (i < format.length() && "hlL".indexOf(format.charAt(i)) >= 0) i++;
            if (i >= format.length()) throw new TemplateException("incomplete format");
            char type = format.charAt(i);
            if (type == '%' && format.charAt(i - 1) == '%') {
                out.append('%');
                continue;
            }
            if (value == Arguments.ABSENT) {
                if (tuple == null ? next > 0 : next >= tuple.size()) throw new TemplateException("not enough arguments for format string");
                value = tuple == null ? argument : tuple.get(next);
                next++;
            }
            var spec = new Spec(zero && !left ? "0" : " ", left ? '<' : zero ? '=' : '>', sign, alternate, width, (char) 0, precision, type);
            Text.append(out, one(spec, value, i), budget);
        }
        boolean all = tuple == null ? next > 0 || argument instanceof Dict : next >= tuple.size();
        if (!all && !(argument instanceof List<?> && tuple == null)) {
            throw new TemplateException("not all arguments converted during string formatting");
        }
        return out.toString();
    }

    private static long star(Object argument, Tuple tuple, int index) {
        if (tuple != null && index < tuple.size() && Numbers.isInteger(tuple.get(index))) return Numbers.clamp(tuple.get(index));
        if (tuple == null && index == 0 && Numbers.isInteger(argument)) return Numbers.clamp(argument);
        throw new TemplateException("* wants int");
    }

    private static long number(long so, char digit) {
        return Math.min(Budget.MAX_TEXT + 1L, so * 10 + Character.digit(digit, 10));
    }

    private String one(Spec spec, Object value, int index) {
        switch (spec.type) {
            case 's', 'r', 'a' -> {
                var s = spec.type == 's' ? text(value) : spec.type == 'r' ? repr(value) : Text.ascii(repr(value));
                return padText(s, new Spec(" ", spec.align == '<' ? '<' : '>', spec.sign, false, spec.width, (char) 0, spec.precision, 's'));
            }
            case 'c' -> {
                var s = Values.isText(value) && Text.length(Values.chars(value)) == 1 ? Values.chars(value)
                        : Numbers.isInteger(value) && Numbers.clamp(value) >= 0 && Numbers.clamp(value) <= Character.MAX_CODE_POINT
                                ? Character.toString((int) Numbers.clamp(value)) : null;
                if (s == null) throw new TemplateException("%c requires int or char");
                return padText(s, new Spec(" ", spec.align == '<' ? '<' : '>', spec.sign, false, spec.width, (char) 0, -1, 's'));
            }
            case 'd', 'i', 'u', 'x', 'X', 'o' -> {
                Values.fail(value);
                boolean decimal = spec.type == 'd' || spec.type == 'i' || spec.type == 'u';
                if (!Numbers.isInteger(value) && !(decimal && value instanceof Double)) {
                    throw new TemplateException("%" + spec.type + " format: " + (decimal ? "a real number" : "an integer") + " is required, not "
                            + Values.type(value));
                }
                var integer = value instanceof Double d ? Numbers.truncate(d) : value;
                var digits = Numbers.big(integer).abs().toString(decimal ? 10 : spec.type == 'o' ? 8 : 16);
                if (spec.precision > digits.length()) digits = Text.repeat("0", spec.precision - digits.length(), budget) + digits;
                var prefix = !spec.alternate || decimal ? "" : spec.type == 'o' ? "0o" : "0x";
                var body = prefix + digits;
                return padNumber(Numbers.big(integer).signum() < 0, spec.type == 'X' ? Text.upper(body) : body, spec);
            }
            case 'e', 'E', 'f', 'F', 'g', 'G' -> {
                Values.fail(value);
                if (!Numbers.isNumber(value)) throw new TemplateException("must be real number, not " + Values.type(value));
                return real(Numbers.toDouble(value), spec);
            }
            default -> throw new TemplateException("unsupported format character " + Text.quote(String.valueOf(spec.type)) + " (0x"
                    + Integer.toHexString(spec.type) + ") at index " + index);
        }
    }

    /** {@code format.format(...)}. */
    String format(String format, Arguments arguments) {
        return fields(format, arguments.positional(), arguments.named(), new int[1], 2);
    }

    /** {@code format.format_map(map)}. */
    String formatMap(String format, Object map) {
        return fields(format, List.of(), map, new int[1], 2);
    }

    private String fields(String format, List<Object> positional, Object named, int[] automatic, int depth) {
        if (depth == 0) throw new TemplateException("Max string recursion exceeded");
        var out = new StringBuilder();
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if ((c == '{' || c == '}') && i + 1 < format.length() && format.charAt(i + 1) == c) {
                out.append(c);
                i++;
            } else if (c == '}') {
                throw new TemplateException("Single '}' encountered in format string");
            } else if (c != '{') {
                out.append(c);
            } else {
                int end = fieldEnd(format, i + 1);
                Text.append(out, field(format.substring(i + 1, end), positional, named, automatic, depth), budget);
                i = end;
            }
        }
        return out.toString();
    }

    private static int fieldEnd(String format, int from) {
        int open = 1;
        for (int i = from; i < format.length(); i++) {
            if (format.charAt(i) == '{') open++;
            if (format.charAt(i) == '}' && --open == 0) return i;
        }
        throw new TemplateException(from == format.length() ? "Single '{' encountered in format string" : "expected '}' before end of string");
    }

    private String field(String field, List<Object> positional, Object named, int[] automatic, int depth) {
        budget.spend(1 + field.length());
        int colon = -1;
        int brackets = 0;
        for (int i = 0; i < field.length() && colon < 0; i++) {
            char c = field.charAt(i);
            brackets += c == '[' ? 1 : c == ']' ? -1 : 0;
            if (c == ':' && brackets == 0) colon = i;
        }
        var head = colon < 0 ? field : field.substring(0, colon);
        var spec = colon < 0 ? "" : field.substring(colon + 1);
        char conversion = 0;
        int bang = head.indexOf('!');
        if (bang >= 0) {
            if (bang + 2 != head.length()) throw new TemplateException("expected ':' after conversion specifier");
            conversion = head.charAt(bang + 1);
            head = head.substring(0, bang);
        }
        var value = lookup(head, positional, named, automatic);
        if (spec.indexOf('{') >= 0) spec = fields(spec, positional, named, automatic, depth - 1);
        switch (conversion) {
            case 0 -> { }
            case 's' -> value = values.text(value);
            case 'r' -> value = values.repr(value);
            case 'a' -> value = Text.ascii(values.repr(value));
            default -> throw new TemplateException("Unknown conversion specifier " + conversion);
        }
        var made = format(value, spec);
        return markup && !(value instanceof Values.Markup) ? Values.Markup.escape(made) : made;
    }

    private Object lookup(String path, List<Object> positional, Object named, int[] automatic) {
        int end = 0;
        while (end < path.length() && path.charAt(end) != '.' && path.charAt(end) != '[') end++;
        var first = path.substring(0, end);
        Object value;
        if (first.isEmpty() || first.chars().allMatch(c -> c >= '0' && c <= '9')) {
            int index = first.isEmpty() ? automatic[0]++ : first.length() > 9 ? Integer.MAX_VALUE : Integer.parseInt(first);
            if (index >= positional.size()) throw new TemplateException("Replacement index " + index + " out of range for positional args tuple");
            value = positional.get(index);
        } else if (named instanceof java.util.Map<?, ?> map) {
            if (!map.containsKey(first)) throw new TemplateException(Text.quote(first));
            value = map.get(first);
        } else {
            value = values.item(named, first);
        }
        while (end < path.length()) {
            if (path.charAt(end) == '.') {
                int start = ++end;
                while (end < path.length() && path.charAt(end) != '.' && path.charAt(end) != '[') end++;
                value = values.attribute(value, path.substring(start, end));
            } else if (path.charAt(end) != '[') {
                throw new TemplateException("Only '.' or '[' may follow ']' in format field specifier");
            } else {
                int close = path.indexOf(']', end);
                if (close < 0) throw new TemplateException("Missing ']' in format string");
                var key = path.substring(end + 1, close);
                boolean digits = !key.isEmpty() && key.length() < 10 && key.chars().allMatch(c -> c >= '0' && c <= '9');
                value = values.item(value, digits ? (Object) Long.valueOf(key) : key);
                end = close + 1;
            }
        }
        return value;
    }

    /** {@code format(value, spec)}. */
    String format(Object value, String spec) {
        if (spec.isEmpty()) return values.text(value);
        if (value == null || !Numbers.isNumber(value) && !Values.isText(value)) {
            if (value instanceof Values.Undefined) return "";
            throw new TemplateException("unsupported format string passed to " + Values.type(value) + ".__format__");
        }
        var s = parse(spec, Values.isText(value));
        if (Values.isText(value)) {
            if (s.type != 's' && s.type != 0) throw unknown(s.type, value);
            if (s.align == '=') throw new TemplateException("'=' alignment not allowed in string format specifier");
            return padText(Values.chars(value), s);
        }
        boolean integer = Numbers.isInteger(value);
        switch (s.type) {
            case 0, 'n', 'd', 'b', 'o', 'x', 'X', 'c' -> {
                if (!integer) {
                    if (s.type != 0 && s.type != 'n') throw unknown(s.type, value);
                    return real((Double) value, s);
                }
                if (s.precision >= 0) throw new TemplateException("Precision not allowed in integer format specifier");
                if (s.type == 'c') return padText(Character.toString(Math.clamp(Numbers.clamp(value), 0, Character.MAX_CODE_POINT)), s);
                int radix = s.type == 'b' ? 2 : s.type == 'o' ? 8 : s.type == 'x' || s.type == 'X' ? 16 : 10;
                var digits = group(Numbers.big(value).abs().toString(radix), s.grouping, radix == 10 ? 3 : 4);
                var body = s.alternate && radix != 10 ? "0" + s.type + (s.type == 'X' ? Text.upper(digits) : digits) : s.type == 'X' ? Text.upper(digits) : digits;
                return padNumber(Numbers.big(value).signum() < 0, body, s);
            }
            case 'e', 'E', 'f', 'F', 'g', 'G', '%' -> {
                return real(Numbers.toDouble(value), s);
            }
            default -> throw unknown(s.type, value);
        }
    }

    private static TemplateException unknown(char type, Object value) {
        return new TemplateException("Unknown format code " + Text.quote(String.valueOf(type)) + " for object of type " + Text.quote(Values.type(value)));
    }

    private static Spec parse(String spec, boolean text) {
        int i = 0;
        var fill = " ";
        char align = 0;
        boolean filled = false;
        int n = Character.charCount(spec.codePointAt(0));
        if (spec.length() > n && "<>=^".indexOf(spec.charAt(n)) >= 0) {
            fill = spec.substring(0, n);
            align = spec.charAt(n);
            filled = true;
            i = n + 1;
        } else if ("<>=^".indexOf(spec.charAt(0)) >= 0) {
            align = spec.charAt(i++);
        }
        char sign = '-';
        if (i < spec.length() && "+- ".indexOf(spec.charAt(i)) >= 0) sign = spec.charAt(i++);
        boolean alternate = i < spec.length() && spec.charAt(i) == '#';
        if (alternate) i++;
        if (i < spec.length() && spec.charAt(i) == '0') {
            if (!filled) fill = "0";
            if (align == 0) align = text ? '<' : '=';
            i++;
        }
        long width = 0;
        for (; i < spec.length() && Character.digit(spec.charAt(i), 10) >= 0; i++) width = number(width, spec.charAt(i));
        char grouping = 0;
        if (i < spec.length() && (spec.charAt(i) == ',' || spec.charAt(i) == '_')) grouping = spec.charAt(i++);
        long precision = -1;
        if (i < spec.length() && spec.charAt(i) == '.') {
            precision = 0;
            int start = ++i;
            for (; i < spec.length() && Character.digit(spec.charAt(i), 10) >= 0; i++) precision = number(precision, spec.charAt(i));
            if (i == start) throw new TemplateException("Format specifier missing precision");
        }
        char type = i < spec.length() ? spec.charAt(i++) : 0;
        if (i < spec.length()) throw new TemplateException("Invalid format specifier");
        return new Spec(fill, align == 0 ? text ? '<' : '>' : align, sign, alternate, width, grouping, precision, type);
    }

    private String padText(String s, Spec spec) {
        if (spec.precision >= 0 && spec.precision < Text.length(s)) s = s.substring(0, Text.unit(s, (int) spec.precision));
        if (spec.align == '^') {
            long missing = Math.max(0, spec.width - Text.length(s));
            return Text.repeat(spec.fill, missing / 2, budget) + s + Text.repeat(spec.fill, missing - missing / 2, budget);
        }
        return Text.pad(s, spec.width, spec.fill, spec.align == '<' ? -1 : 1, budget);
    }

    private String padNumber(boolean negative, String body, Spec spec) {
        var sign = negative ? "-" : spec.sign == '-' ? "" : String.valueOf(spec.sign);
        if (spec.align != '=') return padText(sign + body, new Spec(spec.fill, spec.align, '-', false, spec.width, (char) 0, -1, 's'));
        int prefix = body.length() > 1 && body.charAt(0) == '0' && Character.isLetter(body.charAt(1)) ? 2 : 0;
        var digits = body.substring(prefix);
        if (spec.grouping != 0 && spec.fill.equals("0")) {
            // Zeros that fill are grouped too.
            int point = digits.indexOf('.');
            var whole = (point < 0 ? digits : digits.substring(0, point)).replace(String.valueOf(spec.grouping), "");
            var rest = point < 0 ? "" : digits.substring(point);
            long target = spec.width - sign.length() - prefix - rest.length();
            long count = whole.length();
            while (count + (count - 1) / 3 < target) count++;
            return sign + body.substring(0, prefix) + group(Text.pad(whole, count, "0", 1, budget), spec.grouping, 3) + rest;
        }
        return sign + body.substring(0, prefix)
                + Text.pad(digits, spec.width - sign.length() - prefix, spec.fill, 1, budget);
    }

    private static String group(String digits, char separator, int size) {
        if (separator == 0) return digits;
        var out = new StringBuilder();
        for (int i = 0; i < digits.length(); i++) {
            if (i > 0 && (digits.length() - i) % size == 0) out.append(separator);
            out.append(digits.charAt(i));
        }
        return out.toString();
    }

    private String real(double d, Spec spec) {
        boolean negative = d < 0 || d == 0 && 1 / d < 0;
        char type = spec.type;
        if (Double.isNaN(d) || Double.isInfinite(d)) {
            var word = Double.isNaN(d) ? "nan" : "inf";
            var shown = (Character.isUpperCase(type) ? Text.upper(word) : word) + (type == '%' ? "%" : "");
            return padNumber(negative, shown, spec);
        }
        if (spec.precision > 100_000) throw new TemplateException("precision too big");
        int precision = spec.precision < 0 ? 6 : (int) spec.precision;
        budget.text(precision + 310L);
        var exact = new BigDecimal(Math.abs(d));
        String body = switch (Character.toLowerCase(type)) {
            case 'f' -> exact.setScale(precision, RoundingMode.HALF_EVEN).toPlainString();
            case '%' -> exact.movePointRight(2).setScale(precision, RoundingMode.HALF_EVEN).toPlainString() + "%";
            case 'e' -> scientific(exact, precision);
            case 'g' -> general(exact, Math.max(1, precision), spec.alternate);
            default -> spec.precision < 0 ? Numbers.repr(Math.abs(d)) : shortest(exact, Math.max(1, precision));
        };
        if (spec.grouping != 0) {
            int end = 0;
            while (end < body.length() && Character.isDigit(body.charAt(end))) end++;
            body = group(body.substring(0, end), spec.grouping, 3) + body.substring(end);
        }
        return padNumber(negative, Character.isUpperCase(type) ? Text.upper(body) : body, spec);
    }

    private static String scientific(BigDecimal exact, int precision) {
        if (exact.signum() == 0) return (precision == 0 ? "0" : "0." + "0".repeat(precision)) + "e+00";
        var rounded = exact.round(new java.math.MathContext(precision + 1, RoundingMode.HALF_EVEN));
        var digits = rounded.unscaledValue().toString();
        int exponent = digits.length() - rounded.scale() - 1;
        digits = digits.length() > precision + 1 ? digits.substring(0, precision + 1) : digits + "0".repeat(precision + 1 - digits.length());
        return digits.charAt(0) + (precision == 0 ? "" : "." + digits.substring(1)) + exponent(exponent);
    }

    private static String exponent(int e) {
        return (e < 0 ? "e-" : "e+") + (Math.abs(e) < 10 ? "0" : "") + Math.abs(e);
    }

    private static String general(BigDecimal exact, int precision, boolean alternate) {
        var s = scientific(exact, precision - 1);
        int e = Integer.parseInt(s.substring(s.indexOf('e') + 1));
        if (e >= -4 && e < precision) {
            var plain = exact.setScale(precision - 1 - e, RoundingMode.HALF_EVEN).toPlainString();
            return alternate ? plain : withoutZeros(plain);
        }
        return (alternate ? s.substring(0, s.indexOf('e')) : withoutZeros(s.substring(0, s.indexOf('e')))) + exponent(e);
    }

    /** A precision without a type: as {@code g}, but at least one digit after the point. */
    private static String shortest(BigDecimal exact, int precision) {
        var s = scientific(exact, precision - 1);
        int e = Integer.parseInt(s.substring(s.indexOf('e') + 1));
        if (e >= -4 && e < precision) {
            var plain = withoutZeros(exact.setScale(precision - 1 - e, RoundingMode.HALF_EVEN).toPlainString());
            if (e == precision - 1) return withoutZeros(s.substring(0, s.indexOf('e'))) + exponent(e);
            return plain.indexOf('.') < 0 ? plain + ".0" : plain;
        }
        return withoutZeros(s.substring(0, s.indexOf('e'))) + exponent(e);
    }

    private static String withoutZeros(String s) {
        if (s.indexOf('.') < 0) return s;
        int end = s.length();
        while (s.charAt(end - 1) == '0') end--;
        return s.substring(0, s.charAt(end - 1) == '.' ? end - 1 : end);
    }
}
