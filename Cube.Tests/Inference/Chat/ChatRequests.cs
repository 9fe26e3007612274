using System.Text.Json;

namespace Cube.Tests.Inference.Chat;

/// <summary>Bodies of chat requests for several test classes.</summary>
internal static class ChatRequests
{
    public const string Hi = """[{"role":"user","content":"hi"}]""";

    /// <summary>A PNG of one pixel, in base64.</summary>
    public const string Pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

    public const string Tool = """{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}""";

    /// <summary>Members that the proxy must not forward, because they are unknown or control the model server.</summary>
    public const string Steering = """
        "x_foo":{"a":1.10},"cache_salt":"mine","priority":1,"request_id":"r","chat_template":"t","kv_transfer_params":{},"keep_alive":-1,"options":{},"prompt_logprobs":1,"vllm_xargs":{},"_debug_render_only":true,"bad name\r\nx: y":1
        """;

    /// <summary>Their names in <c>x-cube-ignored</c>; a name that is not safe in a header is left out.</summary>
    public const string SteeringNames = "x_foo, cache_salt, priority, request_id, chat_template, kv_transfer_params, keep_alive, options, prompt_logprobs, vllm_xargs, _debug_render_only";

    public static string With(string more) => $$"""{"model":"m","messages":{{Hi}}{{(more.Length > 0 ? "," : "")}}{{more}}}""";

    public static string Image(string url) => JsonSerializer.Serialize(new
    {
        model = "m",
        messages = new[] { new { role = "user", content = new[] { new { type = "image_url", image_url = new { url } } } } },
    });

    /// <summary>A PNG whose header declares 65535 by 65535 pixels, in base64.</summary>
    public static string Bomb()
    {
        var image = Convert.FromBase64String(Pixel);
        (image[18], image[19], image[22], image[23]) = (0xFF, 0xFF, 0xFF, 0xFF);
        return Convert.ToBase64String(image);
    }
}
