namespace Cube.Attestation.Snp;

/// <summary>
/// The security versions (SVNs) of an AMD platform. They are compared component by component, never as one number. Sources: SEV-SNP ABI
/// specification, TCB_VERSION; VCEK certificate specification.
/// <code>
/// Milan, Genoa: bl, tee, 0, 0, 0, 0, snp, ucode        Turin and later: fmc, bl, tee, snp, 0, 0, 0, ucode
/// </code>
/// </summary>
/// <param name="Fmc">Turin and later; 0 for older products.</param>
public sealed record SnpTcb(byte Fmc, byte BootLoader, byte Tee, byte Snp, byte Microcode)
{
    internal static SnpTcb Parse(ReadOnlySpan<byte> bytes, bool hasFmc) => hasFmc
        ? new(bytes[0], bytes[1], bytes[2], bytes[3], bytes[7])
        : new(0, bytes[0], bytes[1], bytes[6], bytes[7]);

    /// <summary>True if every component is at least that of <paramref name="minimum"/>.</summary>
    public bool AtLeast(SnpTcb minimum) => Fmc >= minimum.Fmc && BootLoader >= minimum.BootLoader && Tee >= minimum.Tee
        && Snp >= minimum.Snp && Microcode >= minimum.Microcode;

    public override string ToString() => $"fmc={Fmc} bl={BootLoader} tee={Tee} snp={Snp} ucode={Microcode}";
}
