using System.Globalization;
using System.Text.Json;
using Cube.Attestation.Parsing;

namespace Cube.Attestation.Tpm;

/// <summary>What registers are said to hold, by bank and index. Worth nothing until a quote covers it.</summary>
internal sealed class PcrValues
{
    private readonly Dictionary<(string Bank, int Register), byte[]> _values = [];

    public byte[]? Find(string bank, int register) => _values.GetValueOrDefault((bank, register));

    /// <param name="json">A list by index (of <paramref name="listBank"/>), or an object bank → index → hex.</param>
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

        AppraisalException.ThrowUnless(json.ValueKind == JsonValueKind.Object, Codes.TpmPcrFormat, "The values of the PCRs are neither a list nor an object.");
        foreach (var bank in json.EnumerateObject())
        {
            AppraisalException.ThrowUnless(bank.Value.ValueKind == JsonValueKind.Object, Codes.TpmPcrFormat, "A bank of PCRs is not an object.");
            foreach (var register in bank.Value.EnumerateObject())
            {
                AppraisalException.ThrowUnless(int.TryParse(register.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var index), Codes.TpmPcrFormat, "A PCR has no number.");
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
        AppraisalException.ThrowUnless(size > 0 && register < 32 && value.ValueKind == JsonValueKind.String, Codes.TpmPcrFormat, "A PCR is in an unknown bank, or is not a text.");
        AppraisalException.ThrowUnless(_values.TryAdd((bank, register), Json.Hex(value.GetString()!, Codes.TpmPcrFormat, size)), Codes.TpmPcrFormat, "A PCR is there twice.");
    }
}
