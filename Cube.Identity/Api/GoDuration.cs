using System.Globalization;
using System.Text.RegularExpressions;

namespace Cube.Identity.Api;

/// <summary>Durations in the format of https://pkg.go.dev/time#ParseDuration, limited to whole hours, minutes and seconds: <c>720h</c>, <c>1h30m</c>, <c>90s</c>.</summary>
internal static partial class GoDuration
{
    /// <returns>Null when the text is not a duration or exceeds <see cref="TimeSpan.MaxValue"/>.</returns>
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
