namespace Cube.Attestation.Appraisal;

/// <summary>Names under which vendor documents are stored. A name follows from the content of the document, never from its origin.</summary>
public static class CollateralName
{
    private const string VcekPrefix = "amd-vcek";

    /// <param name="product">Milan, Genoa or Turin.</param>
    public static string AmdCrl(string product, bool isVlek) => $"amd-crl/{(isVlek ? "vlek" : "vcek")}/{product}";

    /// <param name="path">Path below AMD's KDS, with chip id and TCB.</param>
    public static string Vcek(string path) => VcekPrefix + path;

    /// <param name="fmspc">12 hexadecimal digits, upper case.</param>
    /// <param name="ca">platform or processor.</param>
    public static string Intel(string fmspc, string ca) => $"intel/{fmspc}/{ca}";

    public static string MaaKeys(string issuer) => $"maa/{issuer}";

    /// <summary>False for the JWKS of a Microsoft Azure Attestation instance: no vendor signs it, so only the TLS connection authenticates it.</summary>
    public static bool IsSigned(string name) => !name.StartsWith("maa/", StringComparison.Ordinal);

    /// <summary>True for documents that never change: the VCEK certificate of a chip and TCB.</summary>
    public static bool IsFinal(string name) => name.StartsWith(VcekPrefix, StringComparison.Ordinal);
}
