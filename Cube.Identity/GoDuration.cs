using System.Globalization;
using System.Text.RegularExpressions;

namespace Cube.Identity;

/// <summary>Durations as clients of the API write them: <c>720h</c>, <c>1h30m</c>, <c>90s</c> (https://pkg.go.dev/time#ParseDuration, whole units from hours to seconds).</summary>
internal static partial class GoDuration
{
    /// <returns>Null where the text is no duration, or a longer one than a TimeSpan holds.</returns>
    public static TimeSpan? Parse(string? text)
    {
        if (text is not { Length: > 0 and <= 32 } || Form().Match(text) is not { Success: true } match)
        {
            return null;
        }

        var seconds = Number("h") * 3600 + Number("m") * 60 + Number("s");
        return seconds < TimeSpan.MaxValue.TotalSeconds ? TimeSpan.FromSeconds(seconds) : null;

        double Number(string unit) => match.Groups[unit] is { Success: true } group ? double.Parse(group.Value, CultureInfo.InvariantCulture) : 0;
    }

    [GeneratedRegex(@"^(?:(?<h>\d+)h)?(?:(?<m>\d+)m)?(?:(?<s>\d+)s)?\z")]
    private static partial Regex Form();
}
