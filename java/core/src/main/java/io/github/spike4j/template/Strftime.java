package io.github.spike4j.template;

import java.time.ZonedDateTime;
import java.time.format.TextStyle;
import java.time.temporal.IsoFields;
import java.util.Locale;

/** C's {@code strftime} in the C locale. */
final class Strftime {
    private final ZonedDateTime time;
    private final Budget budget;

    Strftime(ZonedDateTime time, Budget budget) {
        this.time = time;
        this.budget = budget;
    }

    String format(String format) {
        var out = new StringBuilder();
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%' || i + 1 == format.length()) {
                out.append(c);
                continue;
            }
            char flag = format.charAt(++i);
            if ((flag == '-' || flag == '_' || flag == '0' || flag == '^') && i + 1 < format.length()) {
                var field = field(format.charAt(++i));
                Text.append(out, switch (flag) {
                    case '-' -> bare(field, "");
                    case '_' -> bare(field, " ");
                    case '^' -> Text.upper(field);
                    default -> field;
                }, budget);
            } else {
                Text.append(out, field(flag), budget);
            }
        }
        return out.toString();
    }

    /** A number's leading zeros replaced; the last digit stays. */
    private static String bare(String field, String with) {
        int zeros = 0;
        while (zeros < field.length() - 1 && (field.charAt(zeros) == '0' || field.charAt(zeros) == ' ')) zeros++;
        return with.repeat(zeros) + field.substring(zeros);
    }

    private String field(char c) {
        int hour = time.getHour();
        return switch (c) {
            case 'Y' -> String.valueOf(time.getYear());
            case 'C' -> two(time.getYear() / 100);
            case 'y' -> two(time.getYear() % 100);
            case 'm' -> two(time.getMonthValue());
            case 'd' -> two(time.getDayOfMonth());
            case 'e' -> "%2d".formatted(time.getDayOfMonth());
            case 'j' -> "%03d".formatted(time.getDayOfYear());
            case 'H' -> two(hour);
            case 'I' -> two((hour + 11) % 12 + 1);
            case 'k' -> "%2d".formatted(hour);
            case 'l' -> "%2d".formatted((hour + 11) % 12 + 1);
            case 'M' -> two(time.getMinute());
            case 'S' -> two(time.getSecond());
            case 'f' -> "%06d".formatted(time.getNano() / 1000);
            case 'p' -> hour < 12 ? "AM" : "PM";
            case 'P' -> hour < 12 ? "am" : "pm";
            case 'B' -> time.getMonth().getDisplayName(TextStyle.FULL, Locale.ENGLISH);
            case 'b', 'h' -> time.getMonth().getDisplayName(TextStyle.FULL, Locale.ENGLISH).substring(0, 3);
            case 'A' -> time.getDayOfWeek().getDisplayName(TextStyle.FULL, Locale.ENGLISH);
            case 'a' -> time.getDayOfWeek().getDisplayName(TextStyle.FULL, Locale.ENGLISH).substring(0, 3);
            case 'u' -> String.valueOf(time.getDayOfWeek().getValue());
            case 'w' -> String.valueOf(time.getDayOfWeek().getValue() % 7);
            case 'U' -> two((time.getDayOfYear() + 6 - time.getDayOfWeek().getValue() % 7) / 7);
            case 'W' -> two((time.getDayOfYear() + 6 - (time.getDayOfWeek().getValue() + 6) % 7) / 7);
            case 'V' -> two(time.get(IsoFields.WEEK_OF_WEEK_BASED_YEAR));
            case 'G' -> String.valueOf(time.get(IsoFields.WEEK_BASED_YEAR));
            case 'g' -> two(time.get(IsoFields.WEEK_BASED_YEAR) % 100);
            case 'z', 'Z' -> ""; // as of a time without a zone
            case 's' -> String.valueOf(time.toEpochSecond());
            case 'D', 'x' -> new Strftime(time, budget).format("%m/%d/%y");
            case 'F' -> new Strftime(time, budget).format("%Y-%m-%d");
            case 'T', 'X' -> new Strftime(time, budget).format("%H:%M:%S");
            case 'R' -> new Strftime(time, budget).format("%H:%M");
            case 'r' -> new Strftime(time, budget).format("%I:%M:%S %p");
            case 'c' -> new Strftime(time, budget).format("%a %b %e %H:%M:%S %Y");
            case 'n' -> "\n";
            case 't' -> "\t";
            case '%' -> "%";
            default -> "%" + c;
        };
    }

    private static String two(int n) {
        return (n < 10 ? "0" : "") + n;
    }
}
