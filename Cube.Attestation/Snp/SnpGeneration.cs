namespace Cube.Attestation.Snp;

/// <summary>An AMD product line. AMD names its keys after it.</summary>
/// <param name="HasFmc">The TCB has a fifth component, FMC, and chip ids have 8 bytes.</param>
internal sealed record SnpGeneration(string Product, bool HasFmc)
{
    private static readonly SnpGeneration _milan = new("Milan", HasFmc: false);
    private static readonly SnpGeneration _genoa = new("Genoa", HasFmc: false);
    private static readonly SnpGeneration _turin = new("Turin", HasFmc: true);
    private static readonly SnpGeneration _venice = new("Venice", HasFmc: true);
    private static readonly SnpGeneration _unknown = new("unknown", HasFmc: false);

    /// <returns>The product by CPUID. Reports of version 2 contain no CPUID: Turin if the chip id has 8 bytes, otherwise null.</returns>
    public static SnpGeneration? Of(SnpReport report)
    {
        if (report.Version < 3)
        {
            var chip = report.ChipId.Span;
            return chip[..8].ContainsAnyExcept((byte)0) && !chip[8..].ContainsAnyExcept((byte)0) ? _turin : null;
        }

        return (report.Family, report.Model) switch
        {
            (0x19, <= 0x0F) => _milan,
            (0x19, >= 0x10 and <= 0x1F) or (0x19, >= 0xA0 and <= 0xAF) => _genoa,
            (0x1A, <= 0x11) => _turin,
            (0x1A, >= 0x50 and <= 0x57) or (0x1A, >= 0x90 and <= 0xAF) or (0x1A, >= 0xC0 and <= 0xC7) => _venice,
            _ => _unknown,
        };
    }
}
