/**
 * Chat templates: an interpreter of Jinja2 as Hugging Face's {@code apply_chat_template} runs it (sandboxed, immutable values,
 * {@code trim_blocks}, {@code lstrip_blocks}, loop controls), with limits on everything that a template could exhaust.
 */
package io.github.spike4j.template;
