namespace Cube.Attestation;

/// <summary>Under what a vendor's document is kept: by what it says, never by where it came from.</summary>
public static class CollateralName
{
    private const string VcekPrefix = "amd-vcek";

    /// <param name="product">Milan, Genoa or Turin.</param>
    public static string AmdCrl(string product, bool isVlek) => $"amd-crl/{(isVlek ? "vlek" : "vcek")}/{product}";

    /// <param name="path">Below AMD's key distribution service, with chip and TCB.</param>
    public static string Vcek(string path) => VcekPrefix + path;

    /// <param name="fmspc">12 hexadecimal digits, upper case.</param>
    /// <param name="ca">platform or processor.</param>
    public static string Intel(string fmspc, string ca) => $"intel/{fmspc}/{ca}";

    public static string MaaKeys(string issuer) => $"maa/{issuer}";

    /// <summary>No vendor signs the keys of an instance of Microsoft's: they are worth as much as the connection that they came over.</summary>
    public static bool IsSigned(string name) => !name.StartsWith("maa/", StringComparison.Ordinal);

    /// <summary>A chip's certificate for one TCB never changes.</summary>
    public static bool IsFinal(string name) => name.StartsWith(VcekPrefix, StringComparison.Ordinal);
}
