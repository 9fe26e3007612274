using System.Text;
using System.Text.Json.Nodes;

namespace Cube.Tests.Functional.Fuzz;

/// <summary>Valid bodies of endpoints whose schema is OpenAI's or Ollama's own, which Cube's document does not repeat.</summary>
internal static class FuzzBodies
{
    public const string Boundary = "fuzz-boundary";

    private const string Chat =
        """
        {"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgAAACAAAB4iG8MwAAAABJRU5ErkJggg=="}}]},
        {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"x"}],
        "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"string"}}}}}],"tool_choice":"auto",
        "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"$defs":{"a":{"type":"string"}},"type":"object","properties":{"x":{"$ref":"#/$defs/a"}}}}},
        "max_tokens":4,"temperature":0,"stream":false,"stop":["a"],"seed":1,"logprobs":true,"top_logprobs":2,"n":1,"user":"u"}
        """;

    private static readonly Dictionary<string, string> _samples = new(StringComparer.Ordinal)
    {
        ["/v1/chat/completions"] = Chat,
        ["/v1/completions"] = """{"model":"m","prompt":["a"],"max_tokens":4,"stream":false,"stop":"x","logprobs":1}""",
        ["/v1/embeddings"] = """{"model":"m","input":["a","b"],"encoding_format":"float","dimensions":1}""",
        ["/v1/responses"] = """{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"x"}]}],"tools":[{"type":"function","name":"f","parameters":{"type":"object"}}],"text":{"format":{"type":"text"}},"stream":false}""",
        ["/api/chat"] = """{"model":"m","messages":[{"role":"user","content":"x","images":["iVBORw0KGgo="]}],"options":{"num_predict":4},"format":{"type":"object"},"stream":false}""",
        ["/api/generate"] = """{"model":"m","prompt":"x","images":[],"options":{"seed":1},"stream":false}""",
        ["/api/embed"] = """{"model":"m","input":["x"]}""",
        ["/api/embeddings"] = """{"model":"m","prompt":"x"}""",
        ["/tokenize"] = """{"model":"m","prompt":"x"}""",
        ["/detokenize"] = """{"model":"m","tokens":[1]}""",
        ["/rerank"] = """{"model":"m","query":"x","documents":["y"]}""",
        ["/score"] = """{"model":"m","text_1":"x","text_2":["y"]}""",
        ["/models"] = """{"models":[{"id":"fast","model":"m"},{"id":"m"}]}""",
        ["/attestation/policy"] = """{"types":["simulated"],"tdx":{"allowed_advisories":["INTEL-SA-00001"]},"measurements":[]}""",
        ["/attestation/policy/dry-run"] = """{"types":["simulated"]}""",
        ["/attestation/policy/activate"] = """{"version":1}""",
        ["/attestation"] = """{"to_json":true,"report_data":"AAAA"}""",
        ["/api/routes"] = """{"name":"r","target_url":"https://agent","matchers":[{"condition":"path","pattern":"/x","is_regex":false}],"priority":1,"enabled":true}""",
    };

    /// <summary>The sample body for the endpoint whose path ends with this template.</summary>
    public static JsonNode? Of(string template) => _samples.Where(sample => template.EndsWith(sample.Key, StringComparison.Ordinal)).OrderByDescending(static sample => sample.Key.Length)
        .Select(static sample => JsonNode.Parse(sample.Value)).FirstOrDefault();

    public static byte[] Form(FuzzValues values)
    {
        var form = new StringBuilder();
        Part(form, "file\"; filename=\"a.wav", "RIFF");
        Part(form, "model", "m");
        for (var i = values.Below(values.OneIn(10) ? 3000 : 4); i > 0; i--)
        {
            Part(form, values.OneIn(2) ? "temperature" : $"x{i}", values.Text());
        }

        form.Append($"--{Boundary}--\r\n");
        var bytes = Encoding.UTF8.GetBytes(form.ToString());
        return values.OneIn(8) ? bytes[..values.Below(bytes.Length)] : bytes;
    }

    private static void Part(StringBuilder form, string name, string value) =>
        form.Append($"--{Boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
}
