namespace Cube.Identity.Api;

/// <summary>The requested part of a list: <c>offset</c> from 0 (default 0), <c>limit</c> from 1 to 100 (default 10).</summary>
internal readonly record struct Paging(int? Offset, int? Limit)
{
    public const int Max = 100;

    public int From => Offset ?? 0;

    public int Count => Limit ?? 10;

    public string? Error => From < 0 ? "offset must not be negative." : Count is < 1 or > Max ? $"limit must be 1 to {Max}." : null;
}
