namespace Cube.Identity;

/// <summary>Which part of a list is asked for: <c>offset</c> from 0, <c>limit</c> 1 to 100, 10 where it is not said.</summary>
internal readonly record struct Paging(int? Offset, int? Limit)
{
    public const int Max = 100;

    public int From => Offset ?? 0;

    public int Count => Limit ?? 10;

    public string? Fault => From < 0 ? "offset must not be negative." : Count is < 1 or > Max ? $"limit must be 1 to {Max}." : null;
}
