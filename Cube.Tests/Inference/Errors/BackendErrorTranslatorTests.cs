using System.Text;
using Cube.Inference.Errors;

namespace Cube.Tests.Inference.Errors;

/// <summary>The translation of the 400 responses of model servers to errors for the client.</summary>
public sealed class BackendErrorTranslatorTests
{
    private const string Chat = """{"model":"m","messages":[],"max_tokens":9,"top_p":0.1,"tools":[],"temperature":1,"stop":"x","cache_salt":"s","stream_options":{}}""";

    private static string Error(string message, string? param = null) =>
        $$"""{"error":{"message":{{System.Text.Json.JsonSerializer.Serialize(message)}},"type":"BadRequestError","param":{{System.Text.Json.JsonSerializer.Serialize(param)}},"code":400} }""";

    [Theory]
    [InlineData("The decoder prompt (length 10127) is longer than the maximum model length of 8192. Make sure that `max_model_len` is no smaller than the number of text tokens.")]
    [InlineData("This model's maximum context length is 2048 tokens. However, you requested 100000 output tokens and your prompt contains at least 1949 input tokens.")]
    [InlineData("The input (3000 tokens) is longer than the model's context length (2048 tokens).")]
    [InlineData("the input length exceeds the context length")]
    [InlineData("the request exceeds the available context size, try increasing it")]
    [InlineData("Input validation error: `inputs` must have less than 1024 tokens; inputs tokens + max_new_tokens must be <= 2048")]
    [InlineData("prompt is too long: 9000 tokens")]
    [InlineData("Requested token count exceeds the model's maximum context length of 4096 tokens.")]
    public void Context_length_errors_are_recognized_in_every_wording(string message)
    {
        var error = BackendErrorTranslator.Explain(Encoding.UTF8.GetBytes(Error(message)), """{"model":"m","messages":[]}"""u8, "max_tokens");
        Assert.Equal((400, "context_length_exceeded", "messages"), (error.Status, error.Code, error.Param));
        var bare = BackendErrorTranslator.Explain(Encoding.UTF8.GetBytes($$"""{"object":"error","message":{{System.Text.Json.JsonSerializer.Serialize(message)}},"param":null,"code":400}"""), "{}"u8, "max_tokens");
        Assert.Equal("context_length_exceeded", bare.Code);
    }

    [Theory]
    [InlineData("max_tokens=100000 cannot be greater than max_model_len=2048. Please request fewer output tokens. (parameter=max_tokens, value=100000)", "max_tokens", "max_completion_tokens")]
    [InlineData("max_tokens=100000 cannot be greater than max_model_len=2048. Please request fewer output tokens. (parameter=max_tokens, value=100000)", null, "max_completion_tokens")]
    [InlineData("max_tokens=100000 cannot be greater than max_model_len=2048. Please request fewer output tokens.", null, "max_completion_tokens")]
    [InlineData("top_p must be in (0, 1], got 0.0. (parameter=top_p, value=0.0)", "top_p", "top_p")]
    [InlineData("top_p must be in (0, 1], got 0.0. (parameter=top_p, value=0.0)", null, "top_p")]
    [InlineData("At most 1 image(s) may be provided in one prompt.", null, "messages")]
    [InlineData("json: cannot unmarshal bool into Go struct field ChatCompletionRequest.tools.function.parameters of type api.ToolFunctionParameters", null, "tools")]
    [InlineData("invalid message content type: <nil>", null, "messages")]
    [InlineData("Unsupported number of image dimensions: 2", null, null)]
    [InlineData("Parameter 'cache_salt' must be a non-empty string. (parameter=cache_salt, value=)", "cache_salt", null)]
    [InlineData("x", "stream_options", null)]
    [InlineData("x", "messages.SECRET at 10.0.0.7", "messages")]
    [InlineData("x (parameter=messages[0].Foo.internal_name)", null, "messages[0]")]
    [InlineData("19 validation errors: {'loc': ('body', 'messages', 0, 'Foo'), 'input': 'context length'}", "body.messages.0.Foo.content", "messages[0]")]
    [InlineData("1 validation error: {'input': 'the context window'}", "body.temperature", "temperature")]
    [InlineData("stop sequence is too long", "stop", "stop")]
    [InlineData("max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)", "max_tokens", "max_completion_tokens")]
    [InlineData("json: cannot unmarshal bool into Go value of type api.ToolProperty", null, "tools")]
    [InlineData("json: cannot unmarshal number into Go struct field .required of type string", null, "tools")]
    [InlineData("suffix is no member here (parameter=suffix)", "suffix", null)]
    public void The_param_of_an_error_is_a_member_that_the_client_sent(string message, string? param, string? expected)
    {
        var error = BackendErrorTranslator.Explain(Encoding.UTF8.GetBytes(Error(message, param)), Encoding.UTF8.GetBytes(Chat), "max_completion_tokens");
        Assert.Equal((400, expected), (error.Status, error.Param));
        Assert.DoesNotContain("unmarshal", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("SECRET", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("<html>no</html>")]
    [InlineData("[]")]
    [InlineData("{\"error\":")]
    [InlineData("{\"error\":null,\"param\":7}")]
    [InlineData("\"context\"")]
    public void An_unrecognized_error_is_a_400_without_a_param(string body)
    {
        var error = BackendErrorTranslator.Explain(Encoding.UTF8.GetBytes(body), Encoding.UTF8.GetBytes(Chat), "max_tokens");
        Assert.Equal((400, "invalid_value", null), (error.Status, error.Code, error.Param));
    }
}
