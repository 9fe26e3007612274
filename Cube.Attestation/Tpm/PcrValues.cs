using System.Globalization;
using System.Text.Json;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tpm;

/// <summary>Claimed PCR values by bank and index. They are untrusted until a quote covers them.</summary>
internal sealed class PcrValues
{
    private readonly Dictionary<(string Bank, int Register), byte[]> _values = [];

    public byte[]? Find(string bank, int register) => _values.GetValueOrDefault((bank, register));

    /// <param name="json">An array by index (bank <paramref name="listBank"/>), or an object bank → index → hex.</param>
    /// <exception cref="AppraisalException">Code <see cref="Codes.TpmPcrFormat"/>.</exception>
    public static PcrValues Read(JsonElement json, string listBank = "sha256")
    {
        var values = new PcrValues();
        if (json.ValueKind == JsonValueKind.Array)
        {
            var index = 0;
            foreach (var value in json.EnumerateArray())
            {
                values.Add(listBank, index++, value);
            }

            return values;
        }

        AppraisalException.ThrowUnless(json.ValueKind == JsonValueKind.Object, Codes.TpmPcrFormat, "The PCR values are neither an array nor an object.");
        foreach (var bank in json.EnumerateObject())
        {
            AppraisalException.ThrowUnless(bank.Value.ValueKind == JsonValueKind.Object, Codes.TpmPcrFormat, "A bank of PCRs is not an object.");
            foreach (var register in bank.Value.EnumerateObject())
            {
                AppraisalException.ThrowUnless(int.TryParse(register.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var index), Codes.TpmPcrFormat, "The index of a PCR is not a number.");
                values.Add(bank.Name, index, register.Value);
            }
        }

        return values;
    }

    public static PcrValues Parse(ReadOnlyMemory<byte> utf8, string listBank = "sha256")
    {
        using var document = Json.Parse(utf8, Codes.TpmPcrFormat);
        return Read(document.RootElement, listBank);
    }

    private void Add(string bank, int register, JsonElement value)
    {
        var size = TpmAlgorithm.DigestSize(bank);
        AppraisalException.ThrowUnless(size > 0 && register < 32 && value.ValueKind == JsonValueKind.String, Codes.TpmPcrFormat, "A PCR has an unknown bank or index, or its value is not a string.");
        AppraisalException.ThrowUnless(_values.TryAdd((bank, register), Json.Hex(value.GetString()!, Codes.TpmPcrFormat, size)), Codes.TpmPcrFormat, "A PCR is listed twice.");
    }
}
